package extauthz

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/decision"
)

// Bounds of what a peer may send.
const (
	// limitMessage is a CheckRequest's size in bytes: Envoy takes 60 KiB of a
	// client's headers by default, and no body is sent here.
	limitMessage = 128 << 10
	// limitMetadata is the size in bytes of a call's metadata.
	limitMetadata = 16 << 10
	limitStreams  = 1024
	// patience is the longest that a call is worked on, whatever it asks for.
	patience = 10 * time.Second
)

// Decisions answers for the portals; decision.Server does.
type Decisions interface {
	Portal(ctx context.Context, secret string) (*decision.Portal, error)
	Authorize(ctx context.Context, r *decision.Request) wire.Access
	Refuse(w http.ResponseWriter, r *http.Request, request *decision.Request, a *wire.Access)
	Unproven(w http.ResponseWriter, r *http.Request)
	Malformed(w http.ResponseWriter, r *http.Request, portal *decision.Portal, what string)
	Misdirected(w http.ResponseWriter, r *http.Request)
}

// Server is the listener for Envoy.
type Server struct {
	authv3.UnimplementedAuthorizationServer
	decisions Decisions
	logger    *slog.Logger
	health    *health.Server
	grpc      *grpc.Server
}

// New returns a server that proves itself with certificate. Its health service
// (grpc.health.v1) says NOT_SERVING until Ready says otherwise, and after Drain.
func New(d Decisions, certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error), logger *slog.Logger) *Server {
	s := &Server{decisions: d, logger: logger, health: health.NewServer()}
	s.grpc = grpc.NewServer(append(Limits(), grpc.UnaryInterceptor(s.guard),
		grpc.Creds(credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: certificate})))...)
	authv3.RegisterAuthorizationServer(s.grpc, s)
	grpc_health_v1.RegisterHealthServer(s.grpc, s.health)
	s.Ready(false)
	return s
}

// Limits are the options that bound what a peer may take of a server.
func Limits() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(limitMessage),
		grpc.MaxHeaderListSize(limitMetadata),
		grpc.MaxConcurrentStreams(limitStreams),
		grpc.ConnectionTimeout(5 * time.Second),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: 10 * time.Minute, Time: time.Minute, Timeout: 10 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
	}
}

// Ready says to whom asks the health service whether requests are answered.
func (s *Server) Ready(yes bool) {
	status := grpc_health_v1.HealthCheckResponse_NOT_SERVING
	if yes {
		status = grpc_health_v1.HealthCheckResponse_SERVING
	}
	s.health.SetServingStatus("", status)
	s.health.SetServingStatus(authv3.Authorization_ServiceDesc.ServiceName, status)
}

// Serve answers on l until Drain; then it returns nil.
func (s *Server) Serve(l net.Listener) error { return s.grpc.Serve(l) }

// Drain lets calls under way end, for at most limit.
func (s *Server) Drain(limit time.Duration) {
	s.health.Shutdown()
	hard := time.AfterFunc(limit, s.grpc.Stop)
	defer hard.Stop()
	s.grpc.GracefulStop()
}
