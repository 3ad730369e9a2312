package contract

import (
	"context"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/menshen-zt/menshen/plugins/contract/inferencepb"
)

// Version is the contract's version, negotiated by the handshake.
const Version = 1

// Service is the name under which go-plugin dispenses the service.
const Service = "inference"

// Handshake tells a plugin that it was started by a host of this kind. The
// cookie is no secret; it only keeps people from running plugins by hand.
func Handshake() plugin.HandshakeConfig {
	return plugin.HandshakeConfig{
		ProtocolVersion:  Version,
		MagicCookieKey:   "MENSHEN_INFERENCE_PLUGIN",
		MagicCookieValue: "7d1f2a3c5f0b4e8f9c6d",
	}
}

// HostPlugins are the plugin sets a host understands, by contract version.
func HostPlugins() map[int]plugin.PluginSet {
	return map[int]plugin.PluginSet{Version: {Service: &service{}}}
}

// service joins the gRPC service to go-plugin. The host leaves impl empty.
type service struct {
	plugin.NetRPCUnsupportedPlugin
	impl Plugin
}

// GRPCServer implements plugin.GRPCPlugin on the plugin's side.
func (s *service) GRPCServer(_ *plugin.GRPCBroker, server *grpc.Server) error {
	inferencepb.RegisterInferenceServer(server, &serverV1{impl: s.impl})
	return nil
}

// GRPCClient implements plugin.GRPCPlugin on the host's side.
func (s *service) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return &Client{rpc: inferencepb.NewInferenceClient(conn)}, nil
}
