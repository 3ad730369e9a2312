// Command old is a plugin that was built when the contract had its version 1:
// it knows go-plugin and the generated code of that version, and nothing else
// of this module. It tells whether a person's network was seen before. It is
// not to be modernised.
package main

import (
	"context"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/menshen-zt/menshen/plugins/contract/inferencepb"
)

func main() {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: plugin.HandshakeConfig{
			ProtocolVersion: 1, MagicCookieKey: "MENSHEN_INFERENCE_PLUGIN", MagicCookieValue: "7d1f2a3c5f0b4e8f9c6d",
		},
		VersionedPlugins: map[int]plugin.PluginSet{1: {"inference": &service{}}},
		Logger:           hclog.New(&hclog.LoggerOptions{Output: io.Discard, Level: hclog.Off}),
		GRPCServer:       func(options []grpc.ServerOption) *grpc.Server { return grpc.NewServer(options...) },
	})
}

type service struct{ plugin.NetRPCUnsupportedPlugin }

func (*service) GRPCServer(_ *plugin.GRPCBroker, server *grpc.Server) error {
	inferencepb.RegisterInferenceServer(server, &old{seen: map[string]map[string]bool{}})
	return nil
}

func (*service) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, nil // a plugin has no client
}

type old struct {
	inferencepb.UnimplementedInferenceServer

	mu     sync.Mutex
	seen   map[string]map[string]bool // person, network
	failed int                        // observations that taught nothing
}

func (*old) Describe(context.Context, *inferencepb.DescribeRequest) (*inferencepb.Description, error) {
	return &inferencepb.Description{
		Name: "old", Version: "1", Cluster: inferencepb.Cluster_CLUSTER_NETWORK,
		Features: []inferencepb.Feature{inferencepb.Feature_FEATURE_IP},
	}, nil
}

func (o *old) Observe(_ context.Context, r *inferencepb.ObserveRequest) (*inferencepb.ObserveReply, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	learned := uint32(0)
	for _, s := range r.GetObservations() {
		if !s.GetSuccess() || s.GetIp() == "" {
			o.failed++
			continue
		}
		if o.seen[s.GetPerson()] == nil {
			o.seen[s.GetPerson()] = map[string]bool{}
		}
		if !o.seen[s.GetPerson()][s.GetIp()] {
			o.seen[s.GetPerson()][s.GetIp()] = true
			learned++
		}
	}
	return &inferencepb.ObserveReply{Learned: learned}, nil
}

func (o *old) Assess(_ context.Context, r *inferencepb.AssessRequest) (*inferencepb.Verdict, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	v := &inferencepb.Verdict{TtlNanos: int64(time.Minute), Confidence: 1, Llr: -1, Reasons: []*inferencepb.Reason{{Code: "ZT-TRU-003"}}}
	v.Reasons[0].Args = map[string]string{"failed": strconv.Itoa(o.failed)}
	kept, known := o.seen[r.GetObservation().GetPerson()]
	switch {
	case !known:
		v = &inferencepb.Verdict{TtlNanos: int64(time.Minute), Abstained: true, Reasons: []*inferencepb.Reason{{Code: "ZT-TRU-010"}}}
	case kept[r.GetObservation().GetIp()]:
		v.Llr, v.Reasons[0].Code = 1, "ZT-TRU-001"
	}
	return v, nil
}

func (*old) Health(context.Context, *inferencepb.HealthRequest) (*inferencepb.HealthReply, error) {
	return &inferencepb.HealthReply{Ready: true}, nil
}
