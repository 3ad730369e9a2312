package contract

import (
	"context"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/menshen-zt/menshen/plugins/contract/inferencepb"
	inferencev2 "github.com/menshen-zt/menshen/plugins/contract/inferencepb/v2"
)

// Versions of the contract that a host speaks. A plugin is served in Version.
const (
	Version    = 2
	oldVersion = 1
)

// Service is the name under which go-plugin dispenses a Client.
const Service = "inference"

// Handshake tells a plugin from a program that was started by mistake. The
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
	return map[int]plugin.PluginSet{Version: {Service: &service{}}, oldVersion: {Service: &oldService{}}}
}

// service joins the gRPC service to go-plugin. The host leaves impl empty.
type service struct {
	plugin.NetRPCUnsupportedPlugin
	impl Plugin
}

// GRPCServer implements plugin.GRPCPlugin on the plugin's side.
func (s *service) GRPCServer(_ *plugin.GRPCBroker, server *grpc.Server) error {
	inferencev2.RegisterInferenceServer(server, newServer(s.impl))
	return nil
}

// GRPCClient implements plugin.GRPCPlugin on the host's side.
func (s *service) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return Client(&client{rpc: inferencev2.NewInferenceClient(conn)}), nil
}

// oldService speaks version 1 on the host's side alone.
type oldService struct {
	plugin.NetRPCUnsupportedPlugin
}

// GRPCServer implements plugin.GRPCPlugin; nothing is served in version 1 any more.
func (*oldService) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error { return ErrOldContract }

// GRPCClient implements plugin.GRPCPlugin on the host's side.
func (*oldService) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return Client(&oldClient{rpc: inferencepb.NewInferenceClient(conn)}), nil
}
