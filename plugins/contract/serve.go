package contract

import (
	"context"
	"fmt"
	"io"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/menshen-zt/menshen/plugins/contract/inferencepb"
)

// Serve runs the plugin until its host goes away. Call it from main.
func Serve(impl Plugin) {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  Handshake(),
		VersionedPlugins: map[int]plugin.PluginSet{Version: {Service: &service{impl: impl}}},
		Logger:           hclog.New(&hclog.LoggerOptions{Output: io.Discard, Level: hclog.Off}),
		GRPCServer: func(options []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(options, grpc.MaxRecvMsgSize(MaxMessageBytes), grpc.UnaryInterceptor(recoverCalls))...)
		},
	})
}

// recoverCalls turns a panic of one call into an error of that call.
func recoverCalls(ctx context.Context, request any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (answer any, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = status.Error(codes.Internal, fmt.Sprintf("panic: %.200v", cause))
		}
	}()
	return next(ctx, request)
}

// serverV1 serves version 1 of the contract.
type serverV1 struct {
	inferencepb.UnimplementedInferenceServer
	impl Plugin
}

func (s *serverV1) Describe(context.Context, *inferencepb.DescribeRequest) (*inferencepb.Description, error) {
	return toProtoDescription(s.impl.Describe()), nil
}

func (s *serverV1) Observe(ctx context.Context, r *inferencepb.ObserveRequest) (*inferencepb.ObserveReply, error) {
	if len(r.GetObservations()) > MaxBatch {
		return nil, status.Error(codes.InvalidArgument, "batch too large")
	}
	batch := make([]Observation, 0, len(r.GetObservations()))
	for _, o := range r.GetObservations() {
		if err := checkObservation(o); err != nil {
			return nil, err
		}
		batch = append(batch, fromProtoObservation(o))
	}
	learned, err := s.impl.Observe(ctx, batch)
	if err != nil {
		return nil, err
	}
	return &inferencepb.ObserveReply{Learned: uint32(max(0, min(learned, len(batch))))}, nil // #nosec G115 -- within 0 and MaxBatch
}

func (s *serverV1) Assess(ctx context.Context, r *inferencepb.AssessRequest) (*inferencepb.Verdict, error) {
	if err := checkObservation(r.GetObservation()); err != nil {
		return nil, err
	}
	v, err := s.impl.Assess(ctx, fromProtoObservation(r.GetObservation()))
	if err != nil {
		return nil, err
	}
	return toProtoVerdict(v), nil
}

func (s *serverV1) Health(context.Context, *inferencepb.HealthRequest) (*inferencepb.HealthReply, error) {
	return &inferencepb.HealthReply{Ready: s.impl.Ready()}, nil
}

func checkObservation(o *inferencepb.Observation) error {
	for _, text := range [...]string{o.GetPerson(), o.GetDevice(), o.GetIp()} {
		if len(text) > MaxTextBytes {
			return status.Error(codes.InvalidArgument, "text too long")
		}
	}
	if o.GetPerson() == "" {
		return status.Error(codes.InvalidArgument, "no person")
	}
	return nil
}
