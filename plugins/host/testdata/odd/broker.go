package main

import (
	"context"
	"io"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/menshen-zt/menshen/plugins/contract"
	inferencev2 "github.com/menshen-zt/menshen/plugins/contract/inferencepb/v2"
)

// broker floods go-plugin's stream of further connections, which go-plugin's
// client opens, and says how many messages went out.
type broker struct {
	plugin.NetRPCUnsupportedPlugin
	inferencev2.UnimplementedInferenceServer
	sent *atomic.Int64
}

func serveBroker() {
	b := &broker{sent: new(atomic.Int64)}
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  contract.Handshake(),
		VersionedPlugins: map[int]plugin.PluginSet{contract.Version: {contract.Service: b}},
		Logger:           hclog.New(&hclog.LoggerOptions{Output: io.Discard, Level: hclog.Off}),
		GRPCServer: func(options []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(options, grpc.StreamInterceptor(b.flood))...)
		},
	})
}

func (b *broker) flood(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if info.FullMethod != "/plugin.GRPCBroker/StartStream" {
		return next(server, stream)
	}
	for number := uint64(1); ; number++ { // ConnInfo{service_id: number, knock: {knock: true}}
		raw := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), number)
		raw = protowire.AppendBytes(protowire.AppendTag(raw, 4, protowire.BytesType), []byte{1 << 3, 1})
		message := &emptypb.Empty{}
		message.ProtoReflect().SetUnknown(raw)
		if err := stream.SendMsg(message); err != nil {
			return err
		}
		b.sent.Add(1)
	}
}

// GRPCServer implements plugin.GRPCPlugin.
func (b *broker) GRPCServer(_ *plugin.GRPCBroker, server *grpc.Server) error {
	inferencev2.RegisterInferenceServer(server, b)
	return nil
}

// GRPCClient implements plugin.GRPCPlugin; a plugin has no client.
func (*broker) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, nil
}

func (*broker) Describe(context.Context, *inferencev2.DescribeRequest) (*inferencev2.Description, error) {
	return &inferencev2.Description{Name: "odd-broker", Version: "1", Cluster: inferencev2.Cluster_CLUSTER_NETWORK}, nil
}

func (*broker) Health(context.Context, *inferencev2.HealthRequest) (*inferencev2.HealthReply, error) {
	return &inferencev2.HealthReply{Ready: true}, nil
}

func (b *broker) Assess(context.Context, *inferencev2.AssessRequest) (*inferencev2.Verdict, error) {
	return &inferencev2.Verdict{Llr: float64(min(b.sent.Load(), 50)), Confidence: 1, TtlNanos: int64(time.Minute)}, nil
}
