package web_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/ceremony"
	"github.com/menshen-zt/menshen/pdp/directory"
	"github.com/menshen-zt/menshen/pdp/seal"
	"github.com/menshen-zt/menshen/pdp/store/bolt"
	"github.com/menshen-zt/menshen/pdp/web"
)

const laptop = "dev-00000000000000000000000000"

// world is a PDP's web origin, a portal's host and a laptop's agent.
type world struct {
	t         *testing.T
	pdp       string // https://pdp.test:port
	portalURL string // https://hr.test:port
	ceremony  *ceremony.Ceremony
	site      *web.Site
	directory *directory.Directory
	box       *seal.Box
	person    wire.Person
	portal    wire.Portal
	agent     *http.Server
	agentPort int

	mu        sync.Mutex
	denial    wire.DenialPage
	why       []wire.Reason // what a new touch is asked for
	checks    []string      // the stages that the next polls tell
	allowed   bool
	redirect  string        // the last callback
	personal  wire.Personal // what the person is shown of themselves
	objection string        // what the person said against a decision
	posts     atomic.Int32
}

type audit struct{}

func (audit) Append(context.Context, wire.AuditRecord) (uint64, error) { return 1, nil }

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, box: seal.New([32]byte{7})}
	pdp := httptest.NewUnstartedServer(nil)
	pdp.StartTLS()
	portal := httptest.NewUnstartedServer(nil)
	portal.StartTLS()
	t.Cleanup(pdp.Close)
	t.Cleanup(portal.Close)
	w.pdp, w.portalURL = "https://pdp.test:"+port(pdp.Listener), "https://hr.test:"+port(portal.Listener)

	agent, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	w.agentPort, err = strconv.Atoi(port(agent))
	must(t, err)
	w.agent = &http.Server{Handler: http.HandlerFunc(w.serveAgent), ReadHeaderTimeout: time.Second}
	go func() { _ = w.agent.Serve(agent) }()
	t.Cleanup(func() { _ = w.agent.Close() })

	db, err := bolt.Open(filepath.Join(t.TempDir(), "state.db"), bolt.Options{})
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	w.directory = directory.New(db, time.Now, rand.Reader)
	logger := slog.New(slog.DiscardHandler)
	w.ceremony, err = ceremony.New(ceremony.Config{
		Origin: w.pdp, AgentPort: w.agentPort, Store: db, Sealer: w.box, Recorder: audit{}, Directory: w.directory,
		Clock: time.Now, Random: rand.Reader, Logger: logger, PermitTestAuthenticators: true,
	})
	must(t, err)
	w.site, err = web.New(web.Config{
		Origin: w.pdp, AgentPort: w.agentPort, TestAuthenticators: w.ceremony.TestAuthenticators(), Describe: w.ceremony.Describe, Personal: w.mine, Logger: logger,
	})
	must(t, err)
	w.people()

	mux := http.NewServeMux()
	mux.Handle("/ceremony/", w.ceremony.Handler())
	mux.Handle("/me/appeals", w.ceremony.Personal(w.objects))
	mux.Handle("/", w.site.Handler())
	pdp.Config.Handler = mux
	portal.Config.Handler = w.portalHost()
	return w
}

func port(l net.Listener) string {
	_, text, _ := net.SplitHostPort(l.Addr().String())
	return text
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) people() {
	w.t.Helper()
	ctx := w.t.Context()
	_, err := w.directory.CreateAgency(ctx, wire.Agency{ID: "moda", NameZH: "數位發展部", NameEN: "MODA"})
	must(w.t, err)
	w.person, err = w.directory.CreatePerson(ctx, wire.Person{Agency: "moda", Name: "王小明", Account: "wang.xm"})
	must(w.t, err)
	w.portal, _, err = w.directory.CreatePortal(ctx, wire.Portal{
		Agency: "moda", NameZH: "人事資料系統", NameEN: "HR Records", Origin: w.portalURL, Sensitivity: wire.PortalNormal,
	})
	must(w.t, err)
}

// serveAgent is a laptop's agent on loopback: preflight, then the confirmation.
func (w *world) serveAgent(out http.ResponseWriter, r *http.Request) {
	h := out.Header()
	h.Set("Access-Control-Allow-Origin", w.pdp)
	h.Set("Access-Control-Allow-Headers", "Content-Type, Menshen-Ceremony, Accept-Language")
	h.Set("Access-Control-Allow-Methods", http.MethodPost)
	if r.Method == http.MethodOptions {
		out.WriteHeader(http.StatusNoContent)
		return
	}
	w.posts.Add(1)
	if r.Header.Get("Origin") != w.pdp || r.Header.Get("Menshen-Ceremony") != "1" || r.URL.Path != "/v1/confirm" {
		http.Error(out, "no", http.StatusForbidden)
		return
	}
	var request wire.LocalConfirm
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		http.Error(out, "no", http.StatusBadRequest)
		return
	}
	code := make([]byte, 32)
	_, _ = rand.Read(code)
	err := w.ceremony.Confirm(r.Context(), laptop,
		wire.DeviceConfirmation{Nonce: request.Nonce, ReturnCode: code, Seat: wire.SeatActive, Way: wire.BindingFetch}, "127.0.0.0/24")
	if err != nil {
		http.Error(out, err.Error(), http.StatusForbidden)
		return
	}
	_ = json.NewEncoder(out).Encode(wire.LocalConfirmed{ReturnCode: base64.RawURLEncoding.EncodeToString(code)})
}

// portalHost is what the portal's proxy would answer: the callback, the denial
// page, and the check protocol.
func (w *world) portalHost() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/.menshen/assets/", http.StripPrefix("/.menshen/assets/", w.site.Assets()))
	mux.HandleFunc("GET /.menshen/callback", func(out http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.redirect = r.URL.Query().Get("code")
		w.mu.Unlock()
		_, _ = fmt.Fprint(out, "<!doctype html><title>portal</title><p id=in>signed in")
	})
	mux.HandleFunc("POST /.menshen/check", func(out http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(out, `{"id":"check-1"}`)
	})
	mux.HandleFunc("GET /.menshen/check/{id}", func(out http.ResponseWriter, _ *http.Request) {
		w.mu.Lock()
		defer w.mu.Unlock()
		stage := "result"
		if len(w.checks) > 0 {
			stage, w.checks = w.checks[0], w.checks[1:]
		}
		_ = json.NewEncoder(out).Encode(map[string]any{"stage": stage, "allowed": stage == "result" && w.allowed})
	})
	mux.HandleFunc("/fault", func(out http.ResponseWriter, r *http.Request) {
		w.site.Fault(out, r, http.StatusForbidden, wire.Reason{Code: "ZT-SES-010"}, "/")
	})
	mux.HandleFunc("/out", func(out http.ResponseWriter, r *http.Request) { w.site.SignedOut(out, r, w.portal, "/") })
	mux.HandleFunc("/", func(out http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.site.Denial(out, r, w.denial)
	})
	return mux
}

// link returns the address that registers a key for the person.
func (w *world) link() string {
	w.t.Helper()
	link, err := w.ceremony.NewLink(w.t.Context(), w.person.ID, time.Hour)
	must(w.t, err)
	return link
}

// signInAddress is where /.menshen/start would send the browser.
func (w *world) signInAddress() string {
	w.t.Helper()
	handle, err := w.box.Seal(wire.PurposeStartHandle, time.Now().Add(wire.StartHandleLife), wire.StartHandle{
		Portal: w.portal.ID, ReturnPath: "/leave", PreCookieHash: make([]byte, 32), Network: "127.0.0.0/24", Why: w.why,
	})
	must(w.t, err)
	return w.pdp + "/sign-in?h=" + handle
}

// login redeems the last callback's code.
func (w *world) login() (wire.Login, error) {
	w.mu.Lock()
	code := w.redirect
	w.mu.Unlock()
	return w.ceremony.Redeem(w.t.Context(), code, [32]byte{}, w.portal.ID)
}

func hostOf(url string) string { return strings.TrimPrefix(url, "https://") }

// mine is what the person with the PDP's own session is shown.
func (w *world) mine(_ context.Context, r *http.Request) (wire.Personal, bool, error) {
	person, signIn, known, err := w.ceremony.Visitor(r)
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.personal
	p.Person, p.SignedInAt = person, signIn.At
	return p, known, err
}

// objects takes one objection and refuses the next.
func (w *world) objects(out http.ResponseWriter, r *http.Request, _ wire.Person, _ wire.SignIn) {
	raw, err := io.ReadAll(r.Body)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil || w.objection != "" {
		problem.Write(out, r, http.StatusUnprocessableEntity, reason.New(reason.AppealTooMany))
		return
	}
	w.objection = string(raw)
	problem.WriteJSON(out, r, struct{}{})
}

// signsIn signs in with the key of this browser.
func (w *world) signsIn(c *chromium) {
	w.t.Helper()
	c.open(w.signInAddress())
	c.until("!document.getElementById('use-key').hidden")
	c.click("#use-key")
	c.until("location.hostname === 'hr.test'")
}
