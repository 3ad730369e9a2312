//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// server makes a handler and the request that the load sends to it; stop ends
// what stands behind the handler. Its files go to the working folder.
type server func(ctx context.Context) (handler http.Handler, request string, stop func() error, err error)

// servers are what this program becomes when it is started by their name.
var servers = map[string]server{
	"serve-floor":       floor,
	"serve-decision":    knownSession,
	"serve-token":       knownToken(false),
	"serve-token-first": knownToken(true),
	"serve-sessions": func(ctx context.Context) (http.Handler, string, func() error, error) {
		l, err := liveSessions(ctx, manySessions)
		if err != nil {
			return nil, "", nil, err
		}
		return l.server, request(l.secret, "Cookie: __Host-menshen-session="+l.cookie), l.end, nil
	},
}

// floor is what every answer costs at the least: net/http, answering 200.
func floor(context.Context) (http.Handler, string, func() error, error) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	return handler, "GET / HTTP/1.1\r\nHost: floor.test\r\n\r\n", func() error { return nil }, nil
}

// A server in whose folder these lie answers with TLS.
const (
	tlsCertificate = "tls.pem"
	tlsKey         = "tls.key"
)

// serve answers on a free port, which it prints with the request to send,
// until it is told to stop.
func serve(name string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	handler, request, end, err := servers[name](ctx)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("%s\n%q\n", listener.Addr(), request)
	s := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = s.Close() })
	answer := s.Serve
	if _, err := os.Stat(tlsCertificate); err == nil && name != "serve-floor" {
		answer = func(l net.Listener) error { return s.ServeTLS(l, tlsCertificate, tlsKey) }
	}
	if err := answer(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return end()
}
