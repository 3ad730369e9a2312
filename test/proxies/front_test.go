package proxies

import (
	"cmp"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// question is what a proxy asked about one request.
type question struct{ method, uri, upgrade, client string }

// front is the way into the proxies' port: it remembers what was asked, and
// can answer in the PDP's place.
type front struct {
	address string
	server  *httptest.Server
	instead atomic.Pointer[http.Handler]
	opened  atomic.Int64 // connections
	also    func()       // ends the port for Envoy, where there is one

	mu        sync.Mutex
	questions []question
	others    []string // paths of what was no question
}

func newFront(t *testing.T, pdp http.Handler, certificate tls.Certificate) *front {
	t.Helper()
	f := &front{}
	f.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.remember(r)
		if other := f.instead.Load(); other != nil {
			(*other).ServeHTTP(w, r)
			return
		}
		pdp.ServeHTTP(w, r)
	}))
	f.server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13}
	f.server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			f.opened.Add(1)
		}
	}
	f.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // of handshakes that are meant to fail
	f.server.StartTLS()
	t.Cleanup(f.server.Close)
	f.address = f.server.Listener.Addr().String()
	return f
}

func (f *front) remember(r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := r.Header
	switch {
	case !strings.HasPrefix(r.URL.Path, "/forward-auth"):
		f.others = append(f.others, r.RequestURI)
	case h.Get("X-Original-Uri") != "":
		f.questions = append(f.questions, question{h.Get("X-Original-Method"), h.Get("X-Original-Uri"), h.Get("X-Original-Upgrade"), h.Get("X-Real-Ip")})
	default:
		f.questions = append(f.questions, question{h.Get("X-Forwarded-Method"), h.Get("X-Forwarded-Uri"), cmp.Or(h.Get("X-Original-Upgrade"), h.Get("Upgrade")), h.Get("X-Forwarded-For")})
	}
}

// take returns the questions since the last call.
func (f *front) take() []question {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := f.questions
	f.questions, f.others = nil, nil
	return list
}

// peek returns the questions since the last take.
func (f *front) peek() []question {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.questions)
}

// paths returns what was no question since the last take.
func (f *front) paths() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.others
}

// answer makes h answer in the PDP's place.
func (f *front) answer(h http.HandlerFunc) {
	other := http.Handler(h)
	f.instead.Store(&other)
}

// says makes the port send these bytes as its answer, and close.
func (f *front) says(text string) {
	f.answer(func(w http.ResponseWriter, _ *http.Request) {
		if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
			_, _ = io.WriteString(conn, text)
			_ = conn.Close()
		}
	})
}

// close ends the port, with every connection to it.
func (f *front) close() {
	f.server.CloseClientConnections()
	f.server.Close()
	if f.also != nil {
		f.also()
	}
}

// impostor stands in the place of a front that was closed, with a
// certificate of its own, until end is called.
func impostor(t *testing.T, address string, certificate tls.Certificate) (end func()) {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	check(t, err)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for _, name := range identityHeaders {
			w.Header().Set(name, "per-evil")
		}
		w.WriteHeader(http.StatusOK)
	}))
	check(t, s.Listener.Close())
	s.Listener = listener
	s.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13}
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	t.Cleanup(s.Close)
	return func() {
		s.CloseClientConnections()
		s.Close()
	}
}
