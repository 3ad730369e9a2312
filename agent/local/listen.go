package local

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/net/netutil"
)

// Bounds of the loopback listener.
const (
	maxConnections = 32
	shutdownTime   = 2 * time.Second
	portRetry      = 5 * time.Second
)

// ServeBrowser listens on the loopback port until ctx ends. While another
// program has the port it tries again; state is told nil when it listens and
// the error when it does not.
func ServeBrowser(ctx context.Context, port int, handler http.Handler, logger *slog.Logger, state func(error)) {
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	for ctx.Err() == nil {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", address)
		if err == nil {
			state(nil)
			err = serve(ctx, netutil.LimitListener(listener, maxConnections), handler, logger)
		}
		if ctx.Err() != nil {
			return
		}
		state(err)
		select {
		case <-ctx.Done():
		case <-time.After(portRetry):
		}
	}
}

// serve runs an HTTP server with bounds on everything until ctx ends.
func serve(ctx context.Context, listener net.Listener, handler http.Handler, logger *slog.Logger) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      75 * time.Second,
		IdleTimeout:       10 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ConnContext:       withPeer,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
		defer cancel()
		if server.Shutdown(last) != nil {
			_ = server.Close()
		}
	})
	err := server.Serve(listener)
	if !stop() {
		<-ended
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
