package proxies

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/decision"
	"github.com/menshen-zt/menshen/pdp/recorded"
	"github.com/menshen-zt/menshen/pdp/seal"
	"github.com/menshen-zt/menshen/pdp/session"
	"github.com/menshen-zt/menshen/pdp/store/bolt"
	"github.com/menshen-zt/menshen/pdp/token"
)

const (
	secret    = "k7Jm0Zb1QvC8yT3nW5xR2sL9pD4fG6hA_aB-cE1dF0g" // #nosec G101 -- of a portal that is nowhere
	host      = "hr.example.gov.tw"
	pdpOrigin = "https://pdp.example.gov.tw"
)

var hr = wire.Portal{ID: "por-hr", Agency: "moda", NameZH: "\u4eba\u4e8b", NameEN: "HR", Origin: "https://" + host, Sensitivity: wire.PortalNormal, TokenFrom: []string{"127.0.0.1/32", "::1/128"}}

var identityHeaders = []string{"Menshen-Token", "Menshen-Subject", "Menshen-Account", "Menshen-Agency", "Menshen-Name", "Menshen-Device", "Menshen-Access", "Menshen-Decision"}

// engine decides what a test wants.
type engine func(session.Subject, wire.Action) (wire.Facts, wire.Decision)

// world is the real proxies' port with real sessions on a real store, real
// tokens and real tickets. Engine, pages and logins say what the test wants.
type world struct {
	t        *testing.T
	server   *decision.Server
	sessions *session.Manager
	tokens   *token.Issuer
	box      *seal.Box

	mu      sync.Mutex
	now     time.Duration // what has passed besides real time
	engine  engine
	codes   map[string]issued
	removed bool          // the portal
	touched time.Duration // how long before a sign-in its key was touched
}

type issued struct {
	login wire.Login
	pre   [sha256.Size]byte
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, codes: map[string]issued{}, box: seal.New([32]byte{1})}
	w.engine = w.allow
	s, err := bolt.Open(filepath.Join(t.TempDir(), "store.db"), bolt.Options{})
	check(t, err)
	issuer, err := token.New(token.Config{Dir: filepath.Join(t.TempDir(), "keys"), Origin: pdpOrigin, Agencies: w, Clock: w.clock, Random: rand.Reader})
	check(t, err)
	w.tokens = issuer
	log := slog.New(slog.DiscardHandler)
	inputs, err := recorded.New(recorded.Config{Store: s, Sealer: w.box, Clock: w.clock, Random: rand.Reader, Keep: 180 * 24 * time.Hour})
	check(t, err)
	w.sessions, err = session.New(t.Context(), session.Config{Store: s, Engine: w, Tokens: issuer, Recorder: w, Inputs: inputs, Clock: w.clock,
		Random: rand.Reader, Logger: log, Limits: session.DefaultLimits()})
	check(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- w.sessions.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		check(t, <-ended)
		check(t, s.Close())
		check(t, issuer.Close())
	})
	w.server = w.newServer()
	return w
}

// newServer is the proxies' port after a start.
func (w *world) newServer() *decision.Server {
	w.t.Helper()
	server, err := decision.New(decision.Config{Sessions: w.sessions, Portals: w, Logins: w, Tokens: w.tokens, Sealer: w.box, Devices: w, Pages: pages{},
		SignIn: pdpOrigin + "/sign-in", Clock: w.clock, Random: rand.Reader, Logger: slog.New(slog.DiscardHandler)})
	check(w.t, err)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { server.Run(ctx) })
	w.t.Cleanup(func() {
		stop()
		running.Wait()
	})
	return server
}

func (w *world) clock() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return time.Now().Add(w.now) }

func (w *world) set(f func()) { w.mu.Lock(); defer w.mu.Unlock(); f() }

func (w *world) facts() wire.Facts {
	return wire.Facts{
		Person: wire.Person{ID: "per-1", Agency: "moda", Name: "\u738b\u5c0f\u660e", Account: "wang.xm"},
		SignIn: wire.SignIn{PersonID: "per-1", AAL: 3, At: w.clock(), AMR: []string{"hwk", "pin", "mfa"}}, Portal: hr,
		Device: wire.Device{ID: "dev-1", Name: "LT-2231", Provenance: wire.ProvenanceTPM},
	}
}

func (w *world) allow(session.Subject, wire.Action) (wire.Facts, wire.Decision) {
	return w.facts(), wire.Decision{Effect: wire.Allow, ValidUntil: w.clock().Add(time.Hour)}
}

func (w *world) deny(session.Subject, wire.Action) (wire.Facts, wire.Decision) {
	return w.facts(), wire.Decision{Reasons: []wire.Reason{{Code: "ZT-DEV-012"}}, ValidUntil: w.clock().Add(time.Hour)}
}

func (w *world) readsOnly(s session.Subject, a wire.Action) (wire.Facts, wire.Decision) {
	if a == wire.ActionRead {
		return w.allow(s, a)
	}
	return w.deny(s, a)
}

func (w *world) stepUp(session.Subject, wire.Action) (wire.Facts, wire.Decision) {
	return w.facts(), wire.Decision{Effect: wire.StepUp, Reasons: []wire.Reason{{Code: "ZT-TRU-001"}}, ValidUntil: w.clock().Add(time.Hour)}
}

// decide makes the engine decide so from now on.
func (w *world) decide(e engine) {
	w.set(func() { w.engine = e })
	w.sessions.PolicyChanged()
}

// Decide implements session.Engine.
func (w *world) Decide(_ context.Context, s session.Subject, a wire.Action) (wire.Facts, wire.Decision, error) {
	w.mu.Lock()
	e := w.engine
	w.mu.Unlock()
	f, d := e(s, a)
	return f, d, nil
}

// Agency implements token.Agencies.
func (w *world) Agency(context.Context, string) (wire.Agency, error) {
	return wire.Agency{ID: "moda", NameZH: "\u6578\u4f4d\u767c\u5c55\u90e8", NameEN: "Ministry of Digital Affairs"}, nil
}

// Append implements session.Recorder.
func (w *world) Append(context.Context, wire.AuditRecord) (uint64, error) { return 1, nil }

// PortalBySecret implements decision.Portals.
func (w *world) PortalBySecret(_ context.Context, hash [sha256.Size]byte) (wire.Portal, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.removed && hash == sha256.Sum256([]byte(secret)) {
		return hr, nil
	}
	return wire.Portal{}, errors.New("not found")
}

// Redeem implements decision.Logins.
func (w *world) Redeem(_ context.Context, code string, pre [sha256.Size]byte, _ string) (wire.Login, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c, ok := w.codes[code]
	if !ok || c.pre != pre {
		return wire.Login{}, fmt.Errorf("test: %w", wire.ErrLoginRefused)
	}
	delete(w.codes, code)
	return c.login, nil
}

// Ask implements decision.Devices.
func (*world) Ask(string) (string, <-chan struct{}) { return "cmd-1", make(chan struct{}) }

// signIn is what the PDP's own pages do with a handle: it returns the code.
func (w *world) signIn(location string) (code string, handle wire.StartHandle) {
	w.t.Helper()
	text, ok := strings.CutPrefix(location, pdpOrigin+"/sign-in?h=")
	if !ok {
		w.t.Fatalf("not sent to sign in, but to %q", location)
	}
	check(w.t, w.box.Open(wire.PurposeStartHandle, text, w.clock(), &handle))
	code = rand.Text()
	now := w.clock()
	w.set(func() {
		w.codes[code] = issued{pre: [32]byte(handle.PreCookieHash), login: wire.Login{
			SignIn: wire.SignIn{PersonID: "per-1", KeyID: "key-1", At: now.Add(-w.touched), AAL: 3}, Binding: wire.DeviceBinding{DeviceID: "dev-1", At: now},
			Portal: handle.Portal, ReturnPath: handle.ReturnPath, Network: handle.Network}}
	})
	return code, handle
}

// pages says plainly which page would be shown.
type pages struct{}

// Denial implements decision.Pages.
func (pages) Denial(w http.ResponseWriter, _ *http.Request, p wire.DenialPage) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusForbidden)
	_, _ = fmt.Fprintf(w, "denied %s %s return=%s read=%v", p.Decision.ID, p.Decision.Reasons[0].Code, p.ReturnPath, p.ReadAllowed)
}

// Fault implements decision.Pages.
func (pages) Fault(w http.ResponseWriter, _ *http.Request, status int, why wire.Reason, again string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "fault %s again=%s", why.Code, again)
}

// SignedOut implements decision.Pages.
func (pages) SignedOut(w http.ResponseWriter, _ *http.Request, _ wire.Portal, again string) {
	_, _ = fmt.Fprintf(w, "signed out again=%s", again)
}

// Assets implements decision.Pages.
func (pages) Assets() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "asset "+r.URL.Path) })
}
