package decision_test

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/menshen-zt/menshen/pdp/decision/extauthz"
)

// bareCheck is the floor: it answers what lets a request pass, and looks at
// nothing.
type bareCheck struct {
	authv3.UnimplementedAuthorizationServer
}

func (bareCheck) Check(context.Context, *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	return &authv3.CheckResponse{Status: &rpcstatus.Status{Code: int32(codes.OK)}, HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{}}}, nil
}

// asItIs has the client read and write bytes: what it costs to make a question
// and to take an answer apart is Envoy's.
type asItIs struct{}

func (asItIs) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}

func (asItIs) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

func (asItIs) Name() string { return "proto" }

// BenchmarkCheck is a known session's Check over one connection with TLS, as
// Envoy keeps it, beside a bare handler that is asked the very same.
// cpu-ns/op is the CPU time of both ends.
func BenchmarkCheck(b *testing.B) {
	w := newWorld(b)
	in := checkOf("GET /records?page=2", map[string]string{"cookie": "theme=dark; " + w.enter(), "accept": "text/html", "accept-language": "zh-TW", "sec-fetch-mode": "navigate",
		"user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36", "accept-encoding": "gzip, deflate, br", "x-request-id": "b3b5f5a0-3a3c-4a58-9f4b-0f1f6d6f9a51"})
	raw, err := proto.Marshal(in)
	check(b, err)
	own, roots := certificate()
	served := func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &own, nil }
	floor := grpc.NewServer(append(extauthz.Limits(), grpc.Creds(credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: served})))...)
	authv3.RegisterAuthorizationServer(floor, bareCheck{})
	known := extauthz.New(w.server, served, slog.New(slog.DiscardHandler))
	for _, c := range []struct {
		name  string
		serve func(net.Listener) error
		stop  func()
	}{{"floor", floor.Serve, floor.Stop}, {"known", known.Serve, func() { known.Drain(0) }}} {
		b.Run(c.name, func(b *testing.B) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			check(b, err)
			go func() { _ = c.serve(listener) }()
			conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: roots, ServerName: "example.com"})))
			check(b, err)
			defer conn.Close()
			ctx := metadata.AppendToOutgoingContext(b.Context(), "menshen-portal-secret", secret)
			var out []byte
			b.ReportAllocs()
			before := cpu(b)
			for b.Loop() {
				check(b, conn.Invoke(ctx, authv3.Authorization_Check_FullMethodName, raw, &out, grpc.ForceCodecV2(asItIs{})))
			}
			b.ReportMetric((cpu(b)-before)/float64(b.N), "cpu-ns/op")
			answer := new(authv3.CheckResponse)
			check(b, proto.Unmarshal(out, answer))
			if codes.Code(answer.GetStatus().GetCode()) != codes.OK || answer.GetOkResponse() == nil {
				b.Fatal(answer)
			}
		})
	}
	floor.Stop()
	known.Drain(0)
}

// BenchmarkCheckAlone leaves gRPC out: what the handler and the encoding of
// its answer cost, beside the floor's.
func BenchmarkCheckAlone(b *testing.B) {
	w := newWorld(b)
	in := checkOf("GET /records?page=2", map[string]string{"cookie": "theme=dark; " + w.enter(), "accept": "text/html", "accept-language": "zh-TW", "sec-fetch-mode": "navigate"})
	ctx := metadata.NewIncomingContext(b.Context(), metadata.Pairs("menshen-portal-secret", secret))
	for _, c := range []struct {
		name string
		authv3.AuthorizationServer
	}{{"floor", bareCheck{}}, {"known", extauthz.New(w.server, nil, slog.New(slog.DiscardHandler))}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				out, err := c.Check(ctx, in)
				check(b, err)
				_, err = proto.Marshal(out)
				check(b, err)
			}
		})
	}
}
