//go:build linux

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/audit"
	"github.com/menshen-zt/menshen/pdp/decision"
	"github.com/menshen-zt/menshen/pdp/directory"
	"github.com/menshen-zt/menshen/pdp/policy"
	"github.com/menshen-zt/menshen/pdp/recorded"
	"github.com/menshen-zt/menshen/pdp/seal"
	"github.com/menshen-zt/menshen/pdp/session"
	"github.com/menshen-zt/menshen/pdp/store/bolt"
	"github.com/menshen-zt/menshen/pdp/token"
)

// decisions measures what an answer about a known session costs the PDP's
// process, beside a bare handler that is asked the same: by its cookie, and by
// an access token that one of the portal's servers presents.
func decisions(ctx context.Context, rounds int) (lines []line, err error) {
	for _, l := range []struct {
		name, server string
		ratio        float64
	}{
		{"CPU per decision, known session", "serve-decision", 1.3},
		{"CPU per decision, token seen first", "serve-token-first", 9},
		{"CPU per decision, token seen again", "serve-token", 1.5},
	} {
		one, err := beside(ctx, rounds, func(dir string) (*child, error) { return startServer(ctx, l.server, dir) })
		if err != nil {
			return nil, fmt.Errorf("%s: %w", l.name, err)
		}
		one.name, one.ratio = l.name, l.ratio
		lines = append(lines, one)
	}
	return lines, nil
}

// beside measures a server's CPU for each request and the bare handler's, by
// turns, so that a busy machine meets both.
func beside(ctx context.Context, rounds int, start func(dir string) (*child, error)) (l line, err error) {
	dir, err := os.MkdirTemp("", "menshen-bench-")
	if err != nil {
		return l, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	measured, err := start(dir)
	if err != nil {
		return l, err
	}
	defer func() { err = errors.Join(err, measured.stop()) }()
	bare, err := startServer(ctx, "serve-floor", dir)
	if err != nil {
		return l, err
	}
	defer func() { err = errors.Join(err, bare.stop()) }()
	bare.request = measured.request
	for range rounds {
		if err := lowest(ctx, bare, &l.floor); err != nil {
			return l, err
		}
		if err := lowest(ctx, measured, &l.figure); err != nil {
			return l, err
		}
	}
	return l, nil
}

// lowest measures a server once more and keeps the lower value.
func lowest(ctx context.Context, c *child, best *value) error {
	ns, err := c.cpuPerRequest(ctx)
	if err == nil && (best.amount == 0 || ns < best.amount) {
		*best = nanoseconds(ns)
	}
	return err
}

// knownSession is the proxies' port on its real parts: store, audit log,
// directory, policy, sessions and signed tokens. Only what a known session
// does not reach is left out: sign-in, and the laptop whose state is given.
func knownSession(ctx context.Context) (http.Handler, string, func() error, error) {
	l, err := liveSessions(ctx, 1)
	if err != nil {
		return nil, "", nil, err
	}
	return l.server, request(l.secret, "Cookie: __Host-menshen-session="+l.cookie), l.end, nil
}

// knownToken is the same by an access token; where it is forgotten, each request
// is the first that presents it.
func knownToken(forget bool) server {
	return func(ctx context.Context) (http.Handler, string, func() error, error) {
		l, err := liveSessions(ctx, 1)
		if err != nil {
			return nil, "", nil, err
		}
		handler := http.Handler(l.server)
		if forget {
			handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				l.server.KeysChanged()
				l.server.ServeHTTP(w, r)
			})
		}
		return handler, request(l.secret, "Authorization: Bearer "+l.token), l.end, nil
	}
}

// live is the proxies' port with sessions; cookie and token are the first's.
type live struct {
	server                *decision.Server
	secret, cookie, token string
	end                   func() error
}

// liveSessions begins so many sessions, each decided once.
func liveSessions(ctx context.Context, many int) (*live, error) {
	p, err := newParts()
	if err != nil {
		return nil, err
	}
	portal, secret, err := p.people(ctx)
	if err != nil {
		return nil, err
	}
	inputs, err := recorded.New(recorded.Config{Store: p.store, Sealer: seal.New([32]byte{1}), Clock: time.Now, Random: rand.Reader, Keep: 180 * 24 * time.Hour})
	if err != nil {
		return nil, err
	}
	manager, err := session.New(ctx, session.Config{
		Store: p.store, Engine: judge{p.policy, portal}, Tokens: p.tokens, Recorder: p.log, Inputs: inputs, Clock: time.Now, Random: rand.Reader,
		Logger: logger(), Limits: session.DefaultLimits(),
	})
	if err != nil {
		return nil, err
	}
	running := make(chan error, 1)
	go func() { running <- manager.Run(ctx) }()
	cookie, token, err := arrive(ctx, manager, portal, many)
	if err != nil {
		return nil, err
	}
	server, err := decision.New(decision.Config{
		Sessions: manager, Portals: p.directory, Tokens: p.tokens, Pages: nobody{}, Logins: nobody{}, Sealer: nobody{}, Devices: nobody{},
		SignIn: "https://pdp.bench.test/sign-in", Clock: time.Now, Random: rand.Reader, Logger: logger(),
	})
	if err != nil {
		return nil, err
	}
	end := func() error { return errors.Join(<-running, p.log.Close(), p.tokens.Close(), p.store.Close()) }
	return &live{server, secret, cookie, token, end}, nil
}

// parts are the real things behind the port.
type parts struct {
	store     *bolt.Store
	log       *audit.Log
	directory *directory.Directory
	policy    *policy.Engine
	tokens    *token.Issuer
}

func newParts() (p parts, err error) {
	if p.store, err = bolt.Open("store.db", bolt.Options{}); err != nil {
		return p, err
	}
	if p.log, err = audit.Open("audit", audit.Options{}); err != nil {
		return p, err
	}
	if p.policy, err = policy.Load(policy.Baseline()); err != nil {
		return p, err
	}
	p.directory = directory.New(p.store, time.Now, rand.Reader)
	p.tokens, err = token.New(token.Config{
		Dir: "tokens", Origin: "https://pdp.bench.test", Agencies: p.directory, Clock: time.Now, Random: rand.Reader,
	})
	return p, err
}

// people makes an agency and its portal.
func (p *parts) people(ctx context.Context) (wire.Portal, string, error) {
	if _, err := p.directory.CreateAgency(ctx, wire.Agency{ID: "moda", NameZH: "數位發展部", NameEN: "Ministry of Digital Affairs"}); err != nil {
		return wire.Portal{}, "", err
	}
	return p.directory.CreatePortal(ctx, wire.Portal{
		Agency: "moda", NameZH: "人事系統", NameEN: "HR", Origin: "https://hr.bench.test", Sensitivity: wire.PortalNormal, TokenFrom: []string{address.String() + "/32"},
	})
}

var address = netip.MustParseAddr("192.0.2.10")

func signIn() wire.SignIn {
	return wire.SignIn{PersonID: "per-1", KeyID: "key-1", At: time.Now(), AAL: 3, UserVerified: true, AMR: []string{"hwk", "pin", "mfa"}}
}

func binding() wire.DeviceBinding {
	return wire.DeviceBinding{DeviceID: "dev-1", At: time.Now(), Way: wire.BindingFetch, Seat: wire.SeatActive, SameNetwork: true}
}

func login(portal wire.Portal) wire.Login {
	return wire.Login{SignIn: signIn(), Binding: binding(), Portal: portal.ID, ReturnPath: "/"}
}

// judge is the policy engine over the facts of a healthy laptop.
type judge struct {
	policy *policy.Engine
	portal wire.Portal
}

func (j judge) Decide(_ context.Context, s session.Subject, action wire.Action) (wire.Facts, wire.Decision, error) {
	now := time.Now()
	facts := wire.Facts{
		Person: wire.Person{ID: s.SignIn.PersonID, Agency: "moda", Name: "王小明", Account: "wang.xm"}, Key: wire.KeyFacts{Hardware: true},
		SignIn: s.SignIn, Binding: s.Binding, Portal: j.portal, Network: s.Network, At: now,
		Device:   wire.Device{ID: "dev-1", Agency: "moda", Status: wire.DeviceActive, Provenance: wire.ProvenanceTPM},
		Standing: standing(now),
		Trust:    wire.TrustAssessment{Score: 90, Coverage: 1, ValidUntil: now.Add(time.Minute)},
	}
	return facts, j.policy.Decide(facts, action, now), nil
}

func standing(now time.Time) wire.DeviceStanding {
	claims := []wire.Claim{}
	for _, id := range []wire.ClaimID{wire.ClaimOSRelease, wire.ClaimDiskEncryption, wire.ClaimFirewall, wire.ClaimSecureBoot} {
		claims = append(claims, wire.Claim{ID: id, State: wire.ClaimPass, MeasuredAt: now, Source: "bench"})
	}
	return wire.DeviceStanding{
		DeviceID: "dev-1", Standing: wire.StandingFresh, ChangesAt: now.Add(5 * time.Minute),
		Result: wire.AttestationResult{
			DeviceID: "dev-1", IssuedAt: now, ValidUntil: now.Add(10 * time.Minute), Claims: claims,
			Vector: wire.TrustVector{InstanceIdentity: wire.Affirming, Hardware: wire.Affirming, Executables: wire.Affirming, Configuration: wire.Affirming},
		},
	}
}

// nobody stands where a known session does not pass.
type nobody struct {
	decision.Logins
	decision.Sealer
	decision.Devices
	decision.Pages
}

func (nobody) Assets() http.Handler { return http.NotFoundHandler() }

// request is what nginx asks with for a page of a browser, as the shipped
// configuration has it.
func request(secret, proof string) string {
	return "GET /forward-auth HTTP/1.1\r\nHost: pdp.bench.test\r\n" +
		"Menshen-Portal-Secret: " + secret + "\r\n" +
		"X-Original-Method: GET\r\nX-Original-URI: /records?page=2\r\n" +
		fmt.Sprintf("X-Real-IP: %s\r\n", address) +
		proof + "\r\n" +
		"Accept: text/html\r\nAccept-Language: zh-TW\r\nSec-Fetch-Mode: navigate\r\n\r\n"
}

// logger tells what goes wrong in a server.
func logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}
