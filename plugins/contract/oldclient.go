package contract

import (
	"context"
	"io"

	"github.com/menshen-zt/menshen/plugins/contract/inferencepb"
)

// oldClient speaks version 1: sign-ins that ended well, three features, and no
// state to hand over.
type oldClient struct{ rpc inferencepb.InferenceClient }

func (*oldClient) Contract() int { return oldVersion }

func (c *oldClient) Describe(ctx context.Context) (Description, error) {
	d, err := c.rpc.Describe(ctx, &inferencepb.DescribeRequest{})
	if err != nil {
		return Description{}, err
	}
	out := Description{Name: d.GetName(), Version: d.GetVersion(), Cluster: Cluster(d.GetCluster()), Kinds: []Kind{KindSignIn}}
	for _, f := range d.GetFeatures() {
		out.Features = append(out.Features, Feature(f)) // the first three have the same numbers
	}
	return out, nil
}

func (c *oldClient) Observe(ctx context.Context, observations []Observation) (learned int, err error) {
	for len(observations) > 0 {
		n := min(len(observations), MaxBatch)
		request := &inferencepb.ObserveRequest{}
		for i := range observations[:n] {
			if observations[i].Kind == KindSignIn {
				request.Observations = append(request.Observations, toOldObservation(&observations[i]))
			}
		}
		observations = observations[n:]
		if len(request.Observations) == 0 {
			continue
		}
		reply, err := c.rpc.Observe(ctx, request)
		if err != nil {
			return learned, err
		}
		learned += int(reply.GetLearned())
	}
	return learned, nil
}

func (c *oldClient) Assess(ctx context.Context, o Observation) (Verdict, error) {
	v, err := c.rpc.Assess(ctx, &inferencepb.AssessRequest{Observation: toOldObservation(&o)})
	if err != nil {
		return Verdict{}, err
	}
	return fromOldVerdict(v), nil
}

func (c *oldClient) Rehearse(ctx context.Context, next func() (Observation, bool), heard func(Verdict) error) error {
	for o, more := next(); more; o, more = next() {
		v, err := c.Assess(ctx, o)
		if err != nil {
			return err
		}
		if err := heard(v); err != nil {
			return err
		}
		if _, err := c.Observe(ctx, []Observation{o}); err != nil {
			return err
		}
	}
	return nil
}

func (*oldClient) Learn(context.Context, Feedback) error   { return ErrOldContract }
func (*oldClient) Forget(context.Context, string) error    { return ErrOldContract }
func (*oldClient) Export(context.Context, io.Writer) error { return ErrOldContract }
func (*oldClient) Import(context.Context, io.Reader) error { return ErrOldContract }

func (c *oldClient) Ready(ctx context.Context) (bool, error) {
	h, err := c.rpc.Health(ctx, &inferencepb.HealthRequest{})
	if err != nil {
		return false, err
	}
	return h.GetReady(), nil
}

func toOldObservation(o *Observation) *inferencepb.Observation {
	return &inferencepb.Observation{
		Person: o.Person, Device: o.Device, AtUnixNano: o.At.UnixNano(), Ip: o.Network,
		ZoneMinutes: clampInt32(o.ZoneMinutes), Success: o.Kind == KindSignIn,
	}
}

func fromOldVerdict(v *inferencepb.Verdict) Verdict {
	out := Verdict{LLR: v.GetLlr(), Confidence: v.GetConfidence(), Abstained: v.GetAbstained(), TTL: nanos(v.GetTtlNanos())}
	for _, r := range v.GetReasons() {
		out.Reasons = append(out.Reasons, Reason{Code: r.GetCode(), Args: r.GetArgs()})
	}
	return out
}
