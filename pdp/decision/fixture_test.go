package decision_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/decision"
	"github.com/menshen-zt/menshen/pdp/recorded"
	"github.com/menshen-zt/menshen/pdp/seal"
	"github.com/menshen-zt/menshen/pdp/session"
	"github.com/menshen-zt/menshen/pdp/store/bolt"
	"github.com/menshen-zt/menshen/pdp/token"
)

const (
	secret      = "k7Jm0Zb1QvC8yT3nW5xR2sL9pD4fG6hA_aB-cE1dF0g"
	otherSecret = "o7Jm0Zb1QvC8yT3nW5xR2sL9pD4fG6hA_aB-cE1dF0g"
	pdpOrigin   = "https://pdp.example.gov.tw"
)

var (
	hr     = wire.Portal{ID: "por-hr", Agency: "moda", NameZH: "\u4eba\u4e8b", NameEN: "HR", Origin: "https://hr.example.gov.tw", Sensitivity: wire.PortalNormal}
	budget = wire.Portal{ID: "por-budget", Agency: "moda", Origin: "https://budget.example.gov.tw"}
)

// world is the proxies' port with real sessions on a real store, real tokens
// and real tickets; engine, pages, logins and devices say what the test wants.
type world struct {
	t        testing.TB
	server   *decision.Server
	sessions *session.Manager
	issuer   *token.Issuer
	box      *seal.Box

	mu        sync.Mutex
	now       time.Time
	engine    func(session.Subject, wire.Action) (wire.Facts, wire.Decision)
	codes     map[string]issued
	asked     int
	answered  chan struct{}
	taken     bool
	sealErr   error
	lookups   int
	removed   bool
	routes    []wire.Route
	tokenFrom []string
	during    func() // a portal's look-up
	verified  func() // after a token was
	logErr    error
}

type issued struct {
	login  wire.Login
	pre    [sha256.Size]byte
	portal string
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, now: time.Now(), codes: map[string]issued{}, answered: make(chan struct{}), box: seal.New([32]byte{1})}
	w.engine = w.allow
	s, err := bolt.Open(filepath.Join(t.TempDir(), "store.db"), bolt.Options{})
	check(t, err)
	w.issuer, err = token.New(token.Config{Dir: filepath.Join(t.TempDir(), "keys"), Origin: pdpOrigin, Agencies: w, Clock: w.clock, Random: rand.Reader})
	check(t, err)
	log := slog.New(slog.DiscardHandler)
	inputs, err := recorded.New(recorded.Config{Store: s, Sealer: w.box, Clock: w.clock, Random: rand.Reader, Keep: 180 * 24 * time.Hour})
	check(t, err)
	w.sessions, err = session.New(t.Context(), session.Config{Store: s, Engine: w, Tokens: w.issuer, Recorder: w, Inputs: inputs, Clock: w.clock,
		Random: rand.Reader, Logger: log, Limits: session.DefaultLimits()})
	check(t, err)
	w.server, err = decision.New(decision.Config{Sessions: w.sessions, Portals: w, Logins: w, Sealer: w, Devices: w, Pages: pages{}, Tokens: w,
		Taken:  func(string, string) bool { w.mu.Lock(); defer w.mu.Unlock(); return w.taken },
		SignIn: pdpOrigin + "/sign-in", Clock: w.clock, Random: rand.Reader, Logger: log})
	check(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- w.sessions.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		check(t, <-ended)
		check(t, s.Close())
		check(t, w.issuer.Close())
	})
	return w
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) clock() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.now }

func (w *world) set(f func()) { w.mu.Lock(); defer w.mu.Unlock(); f() }

// pass lets time go by and waits until the owner of the uses has seen it.
func (w *world) pass(d time.Duration, cookie string) {
	w.t.Helper()
	w.set(func() { w.now = w.now.Add(d) })
	for range 200 {
		got := w.ask(asked{header: map[string]string{"Cookie": cookie, "Sec-Fetch-Mode": "cors"}})
		if got.Header.Get("Menshen-Reason") != reason.AuditClosed {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	w.t.Fatal("the audit log stays closed")
}

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

func (w *world) decide(f func(session.Subject, wire.Action) (wire.Facts, wire.Decision)) {
	w.set(func() { w.engine = f })
	w.sessions.PolicyChanged()
}

func (w *world) Decide(_ context.Context, s session.Subject, a wire.Action) (wire.Facts, wire.Decision, error) {
	w.mu.Lock()
	engine := w.engine
	w.mu.Unlock()
	f, d := engine(s, a)
	return f, d, nil
}

func (w *world) Agency(context.Context, string) (wire.Agency, error) {
	return wire.Agency{ID: "moda", NameZH: "\u6578\u4f4d\u767c\u5c55\u90e8", NameEN: "Ministry of Digital Affairs"}, nil
}

func (w *world) Append(context.Context, wire.AuditRecord) (uint64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return 1, w.logErr
}

func (w *world) PortalBySecret(_ context.Context, hash [sha256.Size]byte) (wire.Portal, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.during != nil {
		w.during()
	}
	w.lookups++
	switch {
	case w.removed:
	case hash == sha256.Sum256([]byte(secret)):
		portal := hr
		portal.Routes, portal.TokenFrom = w.routes, w.tokenFrom
		return portal, nil
	case hash == sha256.Sum256([]byte(otherSecret)):
		portal := budget
		portal.TokenFrom = w.tokenFrom
		return portal, nil
	}
	return wire.Portal{}, errors.New("not found")
}

// Verify is the issuer's, and what happens just after it.
func (w *world) Verify(text string, portal *wire.Portal) (wire.PresentedToken, error) {
	got, err := w.issuer.Verify(text, portal)
	w.mu.Lock()
	verified := w.verified
	w.mu.Unlock()
	if verified != nil {
		verified()
	}
	return got, err
}

func (w *world) Seal(purpose string, expires time.Time, v any) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sealErr != nil {
		return "", w.sealErr
	}
	return w.box.Seal(purpose, expires, v)
}

func (w *world) Redeem(_ context.Context, code string, pre [sha256.Size]byte, portal string) (wire.Login, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c, ok := w.codes[code]
	if !ok || c.pre != pre || c.portal != portal {
		return wire.Login{}, fmt.Errorf("test: %w", wire.ErrLoginRefused)
	}
	delete(w.codes, code)
	return c.login, nil
}

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
		w.codes[code] = issued{portal: handle.Portal, pre: [32]byte(handle.PreCookieHash), login: wire.Login{
			SignIn: wire.SignIn{PersonID: "per-1", KeyID: "key-1", At: now, AAL: 3}, Binding: wire.DeviceBinding{DeviceID: "dev-1", At: now},
			Portal: handle.Portal, ReturnPath: handle.ReturnPath, Network: handle.Network}}
	})
	return code, handle
}

func (w *world) Ask(string) (string, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	return fmt.Sprintf("cmd-%d", w.asked), w.answered
}

// pages says plainly which page would be shown.
type pages struct{}

func (pages) Denial(w http.ResponseWriter, _ *http.Request, p wire.DenialPage) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusForbidden)
	_, _ = fmt.Fprintf(w, "denied %s %s device=%s return=%s read=%v", p.Decision.ID, p.Decision.Reasons[0].Code, p.Device, p.ReturnPath, p.ReadAllowed)
}

func (pages) Fault(w http.ResponseWriter, _ *http.Request, status int, why wire.Reason, again string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "fault %s again=%s", why.Code, again)
}

func (pages) SignedOut(w http.ResponseWriter, _ *http.Request, _ wire.Portal, again string) {
	_, _ = fmt.Fprintf(w, "signed out again=%s", again)
}

func (pages) Assets() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "asset "+r.URL.Path) })
}

// asked is one request of a proxy, straight to the handler.
type asked struct {
	method, path string // to the PDP
	original     string // method and target, as the client sent them
	twice        string // a header to send twice
	header       map[string]string
	body         string
}

// ask sends what nginx would send.
func (w *world) ask(a asked) *http.Response {
	w.t.Helper()
	if a.method == "" {
		a.method = http.MethodGet
	}
	if a.path == "" {
		a.path = "/forward-auth"
	}
	if a.original == "" {
		a.original = "GET /"
	}
	r := httptest.NewRequestWithContext(w.t.Context(), a.method, a.path, strings.NewReader(a.body))
	method, uri, _ := strings.Cut(a.original, " ")
	r.Header.Set("Menshen-Portal-Secret", secret)
	r.Header.Set("X-Original-Method", method)
	r.Header.Set("X-Original-URI", uri)
	r.Header.Set("X-Real-IP", "192.0.2.10")
	for name, value := range a.header {
		if value == "-" {
			r.Header.Del(name)
			continue
		}
		r.Header.Set(name, value)
	}
	if a.twice != "" {
		r.Header.Add(a.twice, r.Header.Get(a.twice))
	}
	rec := httptest.NewRecorder()
	w.server.ServeHTTP(rec, r)
	return rec.Result()
}

// enter signs in and returns the session cookie as a Cookie header.
func (w *world) enter() string {
	w.t.Helper()
	begun := w.ask(asked{path: "/.menshen/challenge", header: map[string]string{"Sec-Fetch-Mode": "navigate"}})
	pre := cookieOf(w.t, begun, "__Host-menshen-pre")
	code, _ := w.signIn(begun.Header.Get("Location"))
	ended := w.ask(asked{path: "/.menshen/callback?code=" + code, header: map[string]string{"Cookie": pre}})
	if ended.StatusCode != http.StatusSeeOther {
		w.t.Fatal(ended.Status, body(w.t, ended))
	}
	return cookieOf(w.t, ended, "__Host-menshen-session")
}

func cookieOf(t testing.TB, r *http.Response, name string) string {
	t.Helper()
	for _, c := range r.Cookies() {
		if c.Name == name {
			if !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
				t.Fatalf("cookie %s: %s", name, c.Raw)
			}
			return name + "=" + c.Value
		}
	}
	t.Fatalf("no cookie %s in %v", name, r.Header)
	return ""
}

func body(t testing.TB, r *http.Response) string {
	t.Helper()
	raw, err := io.ReadAll(r.Body)
	check(t, err)
	return string(raw)
}

func (w *world) forgetPortals() { w.server.PortalsChanged() }

func (w *world) readsOnly(s session.Subject, a wire.Action) (wire.Facts, wire.Decision) {
	if a == wire.ActionRead {
		return w.allow(s, a)
	}
	return w.deny(s, a)
}
