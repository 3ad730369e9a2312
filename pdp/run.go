package pdp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/menshen-zt/menshen/pdp/admin"
	"github.com/menshen-zt/menshen/pdp/appeal"
	"github.com/menshen-zt/menshen/pdp/applications"
	"github.com/menshen-zt/menshen/pdp/appraisal"
	"github.com/menshen-zt/menshen/pdp/enrolment"
	"github.com/menshen-zt/menshen/pdp/keyring"
	"github.com/menshen-zt/menshen/pdp/recorded"
	"github.com/menshen-zt/menshen/pdp/risk"
	"github.com/menshen-zt/menshen/pdp/signals"
	"github.com/menshen-zt/menshen/pdp/sweeper"
	"github.com/menshen-zt/menshen/pdp/trust"
	"github.com/menshen-zt/menshen/pdp/trust/override"
)

// sweptKinds are the store's kinds whose records end by themselves.
var sweptKinds = [...]string{applications.PastKind, appraisal.SpentKind, enrolment.Kind, "confirmation", "login-code", "reg-link", "pdp-session", recorded.Kind, appeal.Kind, signals.RiskKind, risk.StatementKind, risk.TokenKind, trust.ObservationKind, override.Kind}

const (
	sweepEvery = 10 * time.Minute
	tendEvery  = time.Hour
	drainLimit = 5 * time.Second
)

var errStoreBroken = errors.New("pdp: the store cannot tell what it wrote; it must be opened anew")

// Run listens and serves until ctx ends, a listener fails or the store breaks, then takes
// everything down in order and returns why.
func (p *PDP) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, p.Close()) }()
	servers, err := p.listen(ctx)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	var parts sync.WaitGroup
	p.background(ctx, &parts)
	var serving sync.WaitGroup
	for _, s := range servers {
		serving.Go(func() {
			if err := s.serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
				stop(fmt.Errorf("pdp: %s: %w", s.name, err))
			}
		})
		p.logger.Info("listening", "port", s.name, "address", s.listener.Addr().String())
	}
	select {
	case <-ctx.Done():
	case <-p.state.store.Broken():
		// What the disk holds is not known any more: start anew and read it.
		stop(errStoreBroken)
	}
	p.logger.Info("stopping")
	for _, s := range servers {
		s.drain()
	}
	serving.Wait()
	stop(nil)
	parts.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

func (p *PDP) background(ctx context.Context, parts *sync.WaitGroup) {
	parts.Go(func() { p.operations.ready.Run(ctx) })
	parts.Go(func() { p.operations.ready.Follow(ctx, p.envoy.Ready) })
	parts.Go(func() { p.appraisal.Run(ctx) })
	parts.Go(func() { p.software.Run(ctx) })
	parts.Go(func() { p.exceptions.Run(ctx) })
	parts.Go(func() { p.policies.Run(ctx) })
	parts.Go(func() { p.situation.Run(ctx, p.liveSessions) })
	parts.Go(func() {
		if err := p.sessions.Run(ctx); err != nil {
			p.logger.Error("sessions stopped", "error", err)
		}
	})
	parts.Go(func() {
		sweeper.Run(ctx, p.state.store, sweptKinds[:], sweepEvery, time.Now, p.logger.With("part", "sweeper"))
	})
	parts.Go(func() { p.tendKeys(ctx) })
	parts.Go(func() { p.proxies.Run(ctx) })
	parts.Go(func() { p.signals.Run(ctx) })
	parts.Go(func() { p.risk.Run(ctx) })
}

func (p *PDP) liveSessions() map[string]bool {
	live := map[string]bool{}
	for _, s := range p.sessions.Sessions("") {
		live[s.ID] = true
	}
	return live
}

// tendKeys rotates signing keys whose time has come.
func (p *PDP) tendKeys(ctx context.Context) {
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	for {
		if err := p.tokens.Tend(); err != nil {
			p.logger.Error("signing keys not tended", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// server is one listener with what answers on it.
type server struct {
	name     string
	listener net.Listener
	service
}

// service answers on a listener.
type service interface {
	// serve answers until drain, and returns http.ErrServerClosed then.
	serve(net.Listener) error
	// drain lets requests under way end, for a while.
	drain()
}

type httpService struct{ *http.Server }

func (s httpService) serve(l net.Listener) error {
	if s.TLSConfig != nil {
		return s.ServeTLS(l, "", "")
	}
	return s.Serve(l)
}

func (s httpService) drain() {
	ctx, cancel := context.WithTimeout(context.Background(), drainLimit)
	defer cancel()
	if s.Shutdown(ctx) != nil {
		_ = s.Close() // what is left has had its time
	}
}

func (p *PDP) listen(ctx context.Context) (servers []server, err error) {
	defer func() {
		if err != nil {
			for _, s := range servers {
				err = errors.Join(err, s.listener.Close())
			}
		}
	}()
	pages, err := tls.LoadX509KeyPair(p.config.Web.Certificate, p.config.Web.Key)
	if err != nil {
		return nil, fmt.Errorf("web.certificate: %w", err)
	}
	ca := p.state.ring.Authority
	agents := p.agents.Server(keyring.NewServer(ca, p.config.Agents.Names, time.Now).Certificate)
	proxies := p.newServer(p.operations.traces.Handler("proxies", p.proxyHandler()), keyring.NewServer(ca, p.config.Proxies.Names, time.Now).Certificate)
	operators := p.newServer(p.operationsHandler(), nil)
	operators.TLSConfig = nil
	people := p.newServer(p.operations.traces.Handler("web", p.webHandler()), func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &pages, nil })
	most, err := connectionLimits()
	if err != nil {
		return nil, err
	}
	for _, l := range []struct {
		name, address string
		service       service
	}{{"web", p.config.Web.Listen, httpService{people}}, {"agents", p.config.Agents.Listen, httpService{agents}}, {"proxies", p.config.Proxies.Listen, httpService{proxies}},
		{"operations", p.config.Operations.Listen, httpService{operators}}, {"proxies.grpc", p.config.Proxies.GRPCListen, p.envoys()}} {
		if l.address == "" {
			continue // operations and Envoy alone may have none
		}
		var config net.ListenConfig
		listener, err := config.Listen(ctx, "tcp", l.address)
		if err != nil {
			return servers, fmt.Errorf("%s.listen: %w", l.name, err)
		}
		if listener, err = p.crowded(listener, l.service, l.name, most.of(l.name)); err != nil {
			return servers, err
		}
		servers = append(servers, server{l.name, listener, l.service})
	}
	socket, err := admin.Listen(p.config.Admin.Socket, len(p.config.Admin.UIDs) > 0)
	if err != nil {
		return servers, err
	}
	return append(servers, server{"admin", socket, httpService{p.admin.Server()}}), nil
}

// webHandler is the PDP's own origin: pages, ceremonies and published keys.
func (p *PDP) webHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/ceremony/", p.people.Handler())
	published := p.tokens.Handler()
	mux.Handle("/a/", published)
	mux.Handle("/.well-known/oauth-authorization-server/", published)
	p.signalRoutes(mux)
	mux.Handle("/me/appeals", p.people.Personal(p.fileAppeal))
	mux.Handle("/", p.pageTurns.Handler(p.pages.Handler()))
	return mux
}

func (p *PDP) newServer(h http.Handler, certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 20 * time.Second,
		WriteTimeout: 60 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: certificate, NextProtos: []string{"h2", "http/1.1"}},
		HTTP2:     &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		ErrorLog:  slog.NewLogLogger(p.logger.Handler(), slog.LevelDebug),
	}
}

// Validate checks what a configuration names, beyond its own values.
func Validate(c Config) error {
	err := validatePolicy(c.Policy)
	_, err2 := newEndorser(c.Attestation)
	_, err3 := newJudge(c.Attestation, "", nil, nil)
	_, err4 := tls.LoadX509KeyPair(c.Web.Certificate, c.Web.Key)
	if err4 != nil {
		err4 = fmt.Errorf("web.certificate: %w", err4)
	}
	_, err5 := c.Signals.roots()
	_, err6 := c.Trust.weights()
	return errors.Join(err, err2, err3, err4, err5, err6)
}
