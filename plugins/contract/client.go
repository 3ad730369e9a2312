package contract

import (
	"context"

	"github.com/menshen-zt/menshen/plugins/contract/inferencepb"
)

// Client is the host's side of the contract. Nothing it returns is checked:
// that is the host's work. Every call needs a context with a deadline.
type Client struct{ rpc inferencepb.InferenceClient }

// Describe asks what the plugin is.
func (c *Client) Describe(ctx context.Context) (Description, error) {
	d, err := c.rpc.Describe(ctx, &inferencepb.DescribeRequest{})
	if err != nil {
		return Description{}, err
	}
	return fromProtoDescription(d), nil
}

// Observe teaches sign-ins, at most MaxBatch of them.
func (c *Client) Observe(ctx context.Context, observations []Observation) (learned int, err error) {
	request := &inferencepb.ObserveRequest{Observations: make([]*inferencepb.Observation, 0, len(observations))}
	for _, o := range observations {
		request.Observations = append(request.Observations, toProtoObservation(o))
	}
	reply, err := c.rpc.Observe(ctx, request)
	if err != nil {
		return 0, err
	}
	return int(reply.GetLearned()), nil
}

// Assess asks for a verdict.
func (c *Client) Assess(ctx context.Context, o Observation) (Verdict, error) {
	v, err := c.rpc.Assess(ctx, &inferencepb.AssessRequest{Observation: toProtoObservation(o)})
	if err != nil {
		return Verdict{}, err
	}
	return fromProtoVerdict(v), nil
}

// Ready asks whether the plugin can work.
func (c *Client) Ready(ctx context.Context) (bool, error) {
	h, err := c.rpc.Health(ctx, &inferencepb.HealthRequest{})
	if err != nil {
		return false, err
	}
	return h.GetReady(), nil
}
