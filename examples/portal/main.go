// Command portal is a small portal application behind Menshen. It believes no
// header of its proxy: it verifies the access token by itself, with the keys
// that the issuing agency publishes, and greets the person by name and agency.
//
// What it checks is RFC 9068, 4: typ at+jwt, ES256 and nothing else, the
// signature, iss, aud, exp, iat. A token that says read_only lets nothing be
// written, whatever the proxy let through.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// exitConfiguration is sysexits' EX_CONFIG: a service manager does not restart.
const exitConfiguration = 78

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "address to listen on; only the proxy may reach it")
	origin := flag.String("origin", "", "this portal's origin, such as https://hr.example.gov.tw")
	issuer := flag.String("issuer", "", "the agency's issuer, such as https://pdp.example.gov.tw/a/moda")
	ca := flag.String("ca", "", "PEM file of the CA of the issuer's address, if the system does not trust it")
	flag.Parse()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	verifier, err := newVerifier(*issuer, *origin, *ca, time.Now)
	if err != nil || flag.NArg() > 0 {
		log.Error("configuration", "error", errors.Join(err, extra(flag.Args())))
		os.Exit(exitConfiguration)
	}
	if err := run(*listen, newPortal(verifier, log), log); err != nil {
		log.Error("stopped", "error", err)
		os.Exit(1)
	}
}

func extra(args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("arguments that mean nothing here: %v", args)
}

func run(listen string, handler http.Handler, log *slog.Logger) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	log.Info("portal listens", "address", listener.Addr().String())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		return err
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
