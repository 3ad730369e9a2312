package pdp

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/keyring"
)

// collected is an OTLP/HTTP collector that keeps the names of spans by trace.
type collected struct {
	mu    sync.Mutex
	spans map[string][]string
}

func (c *collected) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	var in collector.ExportTraceServiceRequest
	if proto.Unmarshal(raw, &in) != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, of := range in.ResourceSpans {
		for _, scope := range of.ScopeSpans {
			for _, s := range scope.Spans {
				id := hex.EncodeToString(s.TraceId)
				c.spans[id] = append(c.spans[id], s.Name)
			}
		}
	}
}

// watchedPDP is a PDP that runs and is looked at.
type watchedPDP struct {
	*PDP
	t      testing.TB
	ended  chan error
	stop   context.CancelFunc
	secret string
	portal wire.Portal
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func startWatched(t *testing.T, collectorURL string) *watchedPDP {
	t.Helper()
	return startPDP(t, func(c *Config) { c.Operations.Traces = TracesConfig{Endpoint: collectorURL, Share: 1} }, nil)
}

// startPDP runs a PDP as its program does. Before it is initialised, configure
// may change its configuration; before it runs, prepare may change its parts.
func startPDP(t testing.TB, configure func(*Config), prepare func(*PDP)) *watchedPDP {
	t.Helper()
	dir, err := os.MkdirTemp("", "mnsh")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	c := Default()
	c.Data, c.Admin.Socket, c.Web.Origin = filepath.Join(dir, "data"), filepath.Join(dir, "admin.sock"), "https://pdp.test"
	c.Web.Listen, c.Agents.Listen, c.Proxies.Listen, c.Agents.Names = freeAddress(t), freeAddress(t), freeAddress(t), []string{"127.0.0.1"}
	c.Attestation.EndorsementCAs, c.Audit.ReserveMiB = t.TempDir(), 1
	c.Web.Certificate, c.Web.Key = certificateFiles(t, dir)
	c.Operations.Listen = freeAddress(t)
	configure(&c)
	if _, err := Init(t.Context(), c, First{Agency: wire.Agency{ID: "moda", NameZH: "機關", NameEN: "Agency"}, Account: "admin", Name: "Admin"}); err != nil {
		t.Fatal(err)
	}
	w := &watchedPDP{t: t, ended: make(chan error, 1)}
	if w.PDP, err = New(t.Context(), c, "test", slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	if w.portal, w.secret, err = w.names.CreatePortal(t.Context(), wire.Portal{Agency: "moda", NameZH: "人", NameEN: "HR", Origin: "https://hr.test", Sensitivity: wire.PortalNormal}); err != nil {
		t.Fatal(err)
	}
	if prepare != nil {
		prepare(w.PDP)
	}
	var ctx context.Context
	ctx, w.stop = context.WithCancel(t.Context())
	go func() { w.ended <- w.Run(ctx) }()
	return w
}

// certificateFiles writes a certificate for the pages, by a CA of its own.
func certificateFiles(t testing.TB, dir string) (certificate, key string) {
	t.Helper()
	ca, err := keyring.NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	made, err := ca.Issue([]string{"pdp.test"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(made.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	certificate, key = filepath.Join(dir, "web.pem"), filepath.Join(dir, "web.key")
	for file, block := range map[string]*pem.Block{
		certificate: {Type: "CERTIFICATE", Bytes: made.Certificate[0]}, key: {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certificate, key
}

func (w *watchedPDP) get(path string) (int, string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, "http://"+w.config.Operations.Listen+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Accept-Language", "en")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

// until waits for something that is on its way.
func (w *watchedPDP) until(what string, f func() bool) {
	w.t.Helper()
	for range 200 {
		if f() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	w.t.Fatal("never came: " + what)
}

func (w *watchedPDP) ready() (bool, string) {
	code, body := w.get("/readyz")
	var a struct {
		Ready bool `json:"ready"`
	}
	if code != 0 && json.Unmarshal([]byte(body), &a) != nil {
		w.t.Fatal(body)
	}
	return code == http.StatusOK && a.Ready, body
}

const traceID = "4bf92f3577b34da6a3ce929d0e0e4736"

// ask is a proxy's question with a session's cookie, as part of a trace.
func (w *watchedPDP) ask(cookie string) int {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), http.MethodGet, "/forward-auth", nil)
	for name, value := range map[string]string{"Menshen-Portal-Secret": w.secret, "X-Original-Method": "GET", "X-Original-URI": "/", "X-Real-IP": "192.0.2.10",
		"Cookie": "__Host-menshen-session=" + cookie, "Traceparent": "00-" + traceID + "-00f067aa0ba902b7-01"} {
		r.Header.Set(name, value)
	}
	rec := httptest.NewRecorder()
	w.operations.traces.Handler("proxies", w.proxies).ServeHTTP(rec, r)
	return rec.Code
}

// TestOperatorsSeeARequestFromEndToEnd follows one request of a session from
// the proxy's port to the durable record, in the metrics and in the trace.
func TestOperatorsSeeARequestFromEndToEnd(t *testing.T) {
	c := &collected{spans: map[string][]string{}}
	to := httptest.NewServer(c)
	defer to.Close()
	w := startWatched(t, to.URL)
	w.until("readiness", func() bool { ok, _ := w.ready(); return ok })
	person, err := w.names.CreatePerson(t.Context(), wire.Person{Agency: "moda", Name: "王小明", Account: "wang.xm"})
	if err != nil {
		t.Fatal(err)
	}
	device, err := wire.NewID(wire.PrefixDevice, bytes.NewReader(make([]byte, 16)))
	if err != nil {
		t.Fatal(err)
	}
	cookie, err := w.sessions.Create(t.Context(), w.portal, wire.Login{
		SignIn:  wire.SignIn{PersonID: person.ID, KeyID: "key-1", At: time.Now(), AAL: 3, UserVerified: true},
		Binding: wire.DeviceBinding{DeviceID: device, At: time.Now(), Way: wire.BindingFetch, Seat: wire.SeatActive}, Portal: w.portal.ID,
	}, netip.MustParseAddr("192.0.2.10"), [sha256.Size]byte{})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if code := w.ask(cookie); code != http.StatusForbidden {
			t.Fatal("a laptop that nobody knows is let in:", code)
		}
	}
	_, text := w.get("/metrics")
	for _, line := range []string{
		`menshen_access_total{cached="no",outcome="refused"} 1`, `menshen_access_total{cached="yes",outcome="refused"} 2`,
		`menshen_sessions 1`, `menshen_audit_writable 1`, `menshen_decision_duration_seconds_count 1`, `menshen_decisions_total{effect="deny",`,
	} {
		if !strings.Contains(text, "\n"+line) {
			t.Errorf("no %q", line)
		}
	}
	for _, secret := range []string{person.ID, "wang.xm", device, w.portal.ID, "192.0.2", "王"} {
		if strings.Contains(text, secret) {
			t.Errorf("the metrics name %s", secret)
		}
	}
	w.stop()
	if err := <-w.ended; err != nil {
		t.Fatal(err)
	}
	names := strings.Join(c.spans[traceID], " · ")
	for _, want := range []string{"proxies", "decide", "ask plugins", "append audit record"} {
		if !strings.Contains(names, want) {
			t.Errorf("no %q in the trace: %s", want, names)
		}
	}
}

// TestNotReadyWhenNothingCanBeRecorded closes the real log under the PDP.
func TestNotReadyWhenNothingCanBeRecorded(t *testing.T) {
	w := startWatched(t, "")
	w.until("readiness", func() bool { ok, _ := w.ready(); return ok })
	if err := w.state.log.Close(); err != nil {
		t.Fatal(err)
	}
	w.until("not ready", func() bool {
		ok, body := w.ready()
		return !ok && strings.Contains(body, reason.AuditNotDurable)
	})
	if code, _ := w.get("/healthz"); code != http.StatusOK {
		t.Error("alive and not healthy:", code)
	}
	w.stop()
	if err := <-w.ended; err != nil {
		t.Log(err) // what was taken away under it is told
	}
}

// TestNotReadyWhenTheStoreIsGone closes the real store under the PDP.
func TestNotReadyWhenTheStoreIsGone(t *testing.T) {
	w := startWatched(t, "")
	w.until("readiness", func() bool { ok, _ := w.ready(); return ok })
	if err := w.state.store.Close(); err != nil {
		t.Fatal(err)
	}
	w.until("not ready", func() bool {
		ok, body := w.ready()
		return !ok && strings.Contains(body, reason.StoreStale)
	})
	w.stop()
	if err := <-w.ended; err != nil {
		t.Log(err) // what was taken away under it is told
	}
}

func TestOperationsConfiguration(t *testing.T) {
	for name, c := range map[string]OperationsConfig{
		"$.operations.listen":          {Listen: "9465"},
		"$.operations.traces.endpoint": {Traces: TracesConfig{Endpoint: "127.0.0.1:4318"}},
		"$.operations.traces.share":    {Traces: TracesConfig{Share: 1.5}},
	} {
		var paths []string
		c.check(func(path, _ string, _ ...any) { paths = append(paths, path) })
		if len(paths) != 1 || paths[0] != name {
			t.Errorf("%s: %v", name, paths)
		}
	}
	good := OperationsConfig{Listen: "127.0.0.1:9465", Traces: TracesConfig{Endpoint: "http://127.0.0.1:4318", Share: 0.01}}
	good.check(func(path, problem string, _ ...any) { t.Error(path, problem) })
}
