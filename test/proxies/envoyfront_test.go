package proxies

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/decision"
	"github.com/menshen-zt/menshen/pdp/decision/extauthz"
)

// envoyFront is the way into the port for Envoy, which remembers what was
// asked where the other front does.
type envoyFront struct {
	*decision.Server
	front *front
}

func newEnvoyFront(t *testing.T, f *front, pdp *decision.Server, certificate tls.Certificate) (address string) {
	t.Helper()
	s := extauthz.New(envoyFront{pdp, f}, func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &certificate, nil }, slog.New(slog.DiscardHandler))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	served := make(chan error)
	go func() { served <- s.Serve(listener) }()
	t.Cleanup(func() {
		s.Drain(0)
		check(t, <-served)
	})
	f.also = func() { s.Drain(0) }
	return listener.Addr().String()
}

// Authorize implements extauthz.Decisions.
func (f envoyFront) Authorize(ctx context.Context, r *decision.Request) wire.Access {
	q := question{method: r.Method, uri: r.Target, client: r.Address.String()}
	if r.Upgrade {
		q.upgrade = "websocket"
	}
	f.front.mu.Lock()
	f.front.questions = append(f.front.questions, q)
	f.front.mu.Unlock()
	if other := f.front.instead.Load(); other != nil {
		(*other).ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
		return wire.Access{}
	}
	return f.Server.Authorize(ctx, r)
}
