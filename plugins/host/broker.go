//go:build linux

package host

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// brokerStream is where go-plugin's client hears of further connections.
const brokerStream = "/plugin.GRPCBroker/StartStream"

// withoutBroker opens no stream of go-plugin's broker: the contract has no use
// for one, and go-plugin keeps an entry for each number that a plugin sends on
// it, without a bound.
func withoutBroker(ctx context.Context, d *grpc.StreamDesc, c *grpc.ClientConn, method string, open grpc.Streamer, o ...grpc.CallOption) (grpc.ClientStream, error) {
	if method == brokerStream {
		return nil, status.Error(codes.Unimplemented, "the host has no broker")
	}
	return open(ctx, d, c, method, o...)
}
