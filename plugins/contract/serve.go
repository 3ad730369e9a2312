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
)

// Serve runs the plugin until its host goes away. Call it from main.
func Serve(impl Plugin) {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  Handshake(),
		VersionedPlugins: map[int]plugin.PluginSet{Version: {Service: &service{impl: impl}}},
		Logger:           hclog.New(&hclog.LoggerOptions{Output: io.Discard, Level: hclog.Off}),
		GRPCServer: func(options []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(options, grpc.MaxRecvMsgSize(MaxMessageBytes),
				grpc.UnaryInterceptor(recoverCalls), grpc.StreamInterceptor(recoverStreams))...)
		},
	})
}

// recoverCalls turns a panic of one call into an error of that call.
func recoverCalls(ctx context.Context, request any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (answer any, err error) {
	defer recovered(&err)
	return next(ctx, request)
}

func recoverStreams(server any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	defer recovered(&err)
	return next(server, stream)
}

func recovered(err *error) {
	if cause := recover(); cause != nil {
		*err = status.Error(codes.Internal, fmt.Sprintf("panic: %.200v", cause))
	}
}
