package pdp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	"github.com/menshen-zt/menshen/internal/reason"
)

// envoyed is a PDP that runs by its configuration file, with a connection as
// Envoy's.
type envoyed struct {
	*flooded
	conn *grpc.ClientConn
}

func startEnvoyed(t *testing.T) *envoyed {
	t.Helper()
	e := &envoyed{flooded: startFlooded(t, func(c *Config) {
		file := filepath.Join(t.TempDir(), "pdp.yaml")
		must(t, os.WriteFile(file, fmt.Appendf(nil, `data: %s
admin: {socket: %s}
web: {listen: %q, origin: %q, certificate: %s, key: %s}
agents: {listen: %q, names: [127.0.0.1]}
proxies: {listen: %q, grpc_listen: %q, names: [127.0.0.1]}
operations: {listen: %q}
attestation: {endorsement_cas: %s}
audit: {reserve_mib: 1}
`, c.Data, c.Admin.Socket, c.Web.Listen, c.Web.Origin, c.Web.Certificate, c.Web.Key, c.Agents.Listen,
			c.Proxies.Listen, freeAddress(t), c.Operations.Listen, c.Attestation.EndorsementCAs), 0o600))
		var err error
		*c, err = LoadConfig(file)
		must(t, err)
	})}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(e.state.ring.Authority.PEM())
	var err error
	e.conn, err = grpc.NewClient(e.config.Proxies.GRPCListen, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: roots, ServerName: "127.0.0.1"})))
	must(t, err)
	t.Cleanup(func() { must(t, e.conn.Close()) })
	return e
}

// asksAs sends what Envoy sends of a browser's request with this cookie.
func (e *envoyed) asksAs(cookie string) (*authv3.CheckResponse, error) {
	headers := map[string]string{":method": "GET", ":path": "/records?page=2", ":authority": "hr.test", ":scheme": "https", "sec-fetch-mode": "navigate"}
	if cookie != "" {
		headers["cookie"] = "__Host-menshen-session=" + cookie
	}
	ctx := metadata.AppendToOutgoingContext(e.t.Context(), "menshen-portal-secret", e.secret)
	return authv3.NewAuthorizationClient(e.conn).Check(ctx, &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source: &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
			Address: "192.0.2.10", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 40000}}}}},
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Method: "GET", Path: "/records?page=2", Host: "hr.test", Scheme: "https", Headers: headers}},
	}})
}

// answers is the status that the browser gets, 200 where it passes, and the
// headers that the answer sets, with the body's as "body".
func (e *envoyed) answers(cookie string) (int, map[string]string) {
	e.t.Helper()
	out, err := e.asksAs(cookie)
	must(e.t, err)
	set, status := map[string]string{"body": out.GetDeniedResponse().GetBody()}, 200
	headers := out.GetOkResponse().GetHeaders()
	if codes.Code(out.GetStatus().GetCode()) != codes.OK { // #nosec G115 -- a code's number
		headers, status = out.GetDeniedResponse().GetHeaders(), int(out.GetDeniedResponse().GetStatus().GetCode())
	}
	for _, h := range headers {
		set[h.GetHeader().GetKey()] = h.GetHeader().GetValue()
	}
	return status, set
}

// watches tells the health service's word whenever it changes.
func (e *envoyed) watches(ctx context.Context) func(want grpc_health_v1.HealthCheckResponse_ServingStatus) {
	e.t.Helper()
	stream, err := grpc_health_v1.NewHealthClient(e.conn).Watch(ctx, &grpc_health_v1.HealthCheckRequest{Service: "envoy.service.auth.v3.Authorization"})
	must(e.t, err)
	return func(want grpc_health_v1.HealthCheckResponse_ServingStatus) {
		e.t.Helper()
		for {
			got, err := stream.Recv()
			must(e.t, err)
			if got.GetStatus() == want {
				return
			}
		}
	}
}

// Envoy asks a PDP that runs by its configuration file.
func TestEnvoyAsksAWholePDP(t *testing.T) {
	e := startEnvoyed(t)
	status, set := e.answers(e.cookie)
	if status != 200 || set["menshen-account"] != "wang.xm" || set["menshen-agency"] != "moda" || set["menshen-decision"] == "" || strings.Count(set["menshen-token"], ".") != 2 {
		t.Fatal(status, set)
	}
	status, set = e.answers("")
	if status != 303 || !strings.HasPrefix(set["location"], e.config.Web.Origin+"/") || !strings.HasPrefix(set["set-cookie"], "__Host-menshen-pre=") {
		t.Error("no sign-in:", status, set)
	}
	_, err := e.names.QuarantineDevice(t.Context(), e.sessions.Sessions("")[0].Device, "lost")
	must(t, err)
	status, set = e.answers(e.cookie)
	if status != 403 || !strings.Contains(set["body"], reason.DeviceInQuarantine) || set["menshen-token"] != "" {
		t.Error("not denied:", status, set)
	}
}

// What the health service says is what /readyz says; a PDP that is not ready,
// or stops, lets nobody pass.
func TestEnvoyIsToldWhenThePDPIsNotReady(t *testing.T) {
	e := startEnvoyed(t)
	ctx, done := context.WithTimeout(t.Context(), 20*time.Second)
	defer done()
	until := e.watches(ctx)
	until(grpc_health_v1.HealthCheckResponse_SERVING)
	if ready, body := e.ready(); !ready {
		t.Error("serving and not ready:", body)
	}
	if status, _ := e.answers(e.cookie); status != 200 {
		t.Fatal(status)
	}
	must(t, e.state.log.Close())
	until(grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	if ready, body := e.ready(); ready || !strings.Contains(body, reason.AuditNotDurable) {
		t.Error("not serving and ready:", body)
	}
	e.sessions.PolicyChanged() // each answer has to be decided, and so recorded, anew
	if status, set := e.answers(e.cookie); status != 403 || set["menshen-token"] != "" {
		t.Error("let in while nothing can be recorded:", status, set)
	}
	done()
	e.stop()
	if err := <-e.ended; err != nil {
		t.Log(err) // what was taken away under it is told
	}
}

func TestEnvoyIsToldThatThePDPStops(t *testing.T) {
	e := startEnvoyed(t)
	ctx, done := context.WithTimeout(t.Context(), 20*time.Second)
	defer done()
	until := e.watches(ctx)
	until(grpc_health_v1.HealthCheckResponse_SERVING)
	e.stop()
	until(grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	done()
	must(t, <-e.ended)
	if out, err := e.asksAs(e.cookie); err == nil {
		t.Error("an answer after the end:", out)
	}
}
