package decision_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// shipped is the configuration that the packages carry.
const shipped = "../../installer/proxies"

// gate is a real nginx with the shipped configuration, in front of the
// proxies' port and of an application that tells what reached it.
type gate struct {
	*world
	pdp     *httptest.Server
	address string
	log     string

	mu      sync.Mutex
	arrived []*http.Request
	bodies  []string
}

// newGate starts a gate, with what a site has of its own in the server block.
func newGate(t *testing.T, own ...string) *gate {
	t.Helper()
	g := &gate{world: newWorld(t)}
	application := httptest.NewServer(http.HandlerFunc(g.application))
	t.Cleanup(application.Close)
	dir := t.TempDir()
	ca, issue := authority(t)
	g.pdp = httptest.NewUnstartedServer(g.server)
	g.pdp.TLS = &tls.Config{Certificates: []tls.Certificate{issue("localhost")}}
	g.pdp.StartTLS()
	t.Cleanup(g.pdp.Close)
	write(t, filepath.Join(dir, "pdp-ca.pem"), ca)
	portal := issue("hr.example.gov.tw")
	key, err := x509.MarshalPKCS8PrivateKey(portal.PrivateKey)
	check(t, err)
	write(t, filepath.Join(dir, "fullchain.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: portal.Certificate[0]}))
	write(t, filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	g.address = freePort(t)
	g.log = filepath.Join(dir, "error.log")
	g.configure(dir, strings.TrimPrefix(application.URL, "http://"), own)
	g.run(dir)
	return g
}

// configure copies the shipped files, with this test's addresses. Each value
// that is replaced must stand there: what is tested is what ships.
func (g *gate) configure(dir, application string, own []string) {
	g.t.Helper()
	replaced := map[string]string{
		"/etc/menshen/nginx/":     filepath.Join(dir, "nginx") + "/",
		"/etc/menshen/pdp-ca.pem": filepath.Join(dir, "pdp-ca.pem"),
		"/etc/ssl/portal/":        dir + "/",
		"/var/log/nginx/":         dir + "/",
		"/run/nginx.pid":          filepath.Join(dir, "nginx.pid"),
		"server 127.0.0.1:8080;":  "server " + application + ";",
		"server 127.0.0.1:8445;":  "server " + g.pdp.Listener.Addr().String() + ";",
		"listen 443 ssl":          "listen " + g.address + " ssl",
		"listen 80;":              "listen " + freePort(g.t) + ";",
		"        location / {":    strings.Join(own, "\n") + "        location / {",
		"REPLACE-WITH-THE-SECRET-THAT-MENSHENCTL-PRINTED": secret,
	}
	seen := map[string]bool{}
	check(g.t, filepath.WalkDir(shipped, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text := string(raw)
		for old, fresh := range replaced {
			seen[old] = seen[old] || strings.Contains(text, old)
			text = strings.ReplaceAll(text, old, fresh)
		}
		name, err := filepath.Rel(shipped, path)
		if err != nil {
			return err
		}
		target := filepath.Join(dir, strings.TrimSuffix(name, ".example"))
		if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
			return err
		}
		return os.WriteFile(target, []byte(text), 0o600)
	}))
	for old := range replaced {
		if !seen[old] {
			g.t.Fatalf("%q stands nowhere in the shipped configuration", old)
		}
	}
}

func (g *gate) run(dir string) {
	g.t.Helper()
	var out bytes.Buffer
	nginx := exec.Command("nginx", "-p", dir, "-c", filepath.Join(dir, "nginx.conf"), "-g", "daemon off; master_process off;")
	nginx.Stdout, nginx.Stderr = &out, &out
	check(g.t, nginx.Start())
	g.t.Cleanup(func() {
		_ = nginx.Process.Signal(syscall.SIGTERM)
		_ = nginx.Wait()
		if raw, _ := os.ReadFile(g.log); g.t.Failed() {
			g.t.Logf("nginx: %s%s", out.Bytes(), raw)
		}
	})
	for range 200 {
		c, err := net.DialTimeout("tcp", g.address, time.Second)
		if err == nil {
			check(g.t, c.Close())
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	g.t.Fatalf("nginx does not listen: %s", out.Bytes())
}

// application stands behind the proxy and remembers what arrives.
func (g *gate) application(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		raw = []byte(err.Error())
	}
	g.mu.Lock()
	g.arrived = append(g.arrived, r)
	g.bodies = append(g.bodies, string(raw))
	g.mu.Unlock()
	switch {
	case r.Header.Get("Upgrade") != "":
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello")
			_ = conn.Close()
		}
	case r.URL.Path == "/own-401":
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, "the application's own")
	default:
		_, _ = io.WriteString(w, "application "+r.RequestURI)
	}
}

// reached returns the requests that arrived at the application since the last
// call.
func (g *gate) reached() []*http.Request {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := g.arrived
	g.arrived, g.bodies = nil, nil
	return list
}

// send is one request from the client at 127.0.0.1.
func (g *gate) send(method, target, body string, header ...string) *http.Response {
	g.t.Helper()
	r, err := http.NewRequestWithContext(g.t.Context(), method, "https://hr.example.gov.tw/", strings.NewReader(body))
	check(g.t, err)
	r.URL.Opaque = target // as it stands, however odd
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // #nosec G402 -- the test's own nginx
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", g.address)
		}}
	g.t.Cleanup(transport.CloseIdleConnections)
	answer, err := transport.RoundTrip(r)
	check(g.t, err)
	return answer
}

var page = []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "none", "Accept", "text/html"}

// signedIn goes the whole way through nginx and returns the session cookie and
// where the browser was led in the end.
func (g *gate) signedIn(target string) (cookie, back string) {
	g.t.Helper()
	refused := g.send("GET", target, "", page...)
	if refused.StatusCode != http.StatusSeeOther {
		g.t.Fatalf("%s: %s %s", target, refused.Status, body(g.t, refused))
	}
	pre := cookieOf(g.t, refused, "__Host-menshen-pre")
	code, _ := g.signIn(refused.Header.Get("Location"))
	ended := g.send("GET", "/.menshen/callback?code="+code, "", append([]string{"Cookie", pre}, page...)...)
	if ended.StatusCode != http.StatusSeeOther {
		g.t.Fatal(ended.Status, body(g.t, ended))
	}
	return cookieOf(g.t, ended, "__Host-menshen-session"), ended.Header.Get("Location")
}

func TestNginxSignInAndIdentity(t *testing.T) {
	g := newGate(t)
	cookie, back := g.signedIn("/report?year=2026")
	if back != "/report?year=2026" || len(g.reached()) != 0 {
		t.Fatal(back)
	}
	got := g.send("GET", back, "", "Cookie", cookie)
	if text := body(t, got); got.StatusCode != http.StatusOK || text != "application /report?year=2026" {
		t.Fatal(got.Status, text)
	}
	h := g.reached()[0].Header
	if h.Get("Menshen-Subject") != "per-1" || h.Get("Menshen-Name") != "%E7%8E%8B%E5%B0%8F%E6%98%8E" || h.Get("Menshen-Agency") != "moda" ||
		strings.Count(h.Get("Menshen-Token"), ".") != 2 || h.Get("Menshen-Access") != "full" || h.Get("Menshen-Decision") == "" || h.Get("X-Forwarded-Proto") != "https" {
		t.Error(h)
	}
	// The application's own 401 is its own.
	if got := g.send("GET", "/own-401", "", "Cookie", cookie); body(t, got) != "the application's own" {
		t.Error(got.Status)
	}
}

// A site's own locations do not take over the sign-in's, and its log holds no
// login code, which is in the callback's address.
func TestNginxKeepsTheSignInsAddresses(t *testing.T) {
	g := newGate(t, `location ~ ^/(\.menshen|x)/ { proxy_pass http://portal_application; }`)
	if got := g.send("GET", "/x/", ""); body(t, got) != "application /x/" || len(g.reached()) != 1 {
		t.Fatal("the site's location is not in use:", got.Status)
	}
	cookie, _ := g.signedIn("/report")
	if got := g.send("GET", "/.menshen/auth", ""); got.StatusCode != http.StatusNotFound {
		t.Error(got.Status)
	}
	if got := g.send("GET", "/logged", "", "Cookie", cookie); got.StatusCode != http.StatusOK || len(g.reached()) != 1 {
		t.Error("a sign-in's address reached the application:", got.Status)
	}
	var logged string // in order, and after the answer
	for range 200 {
		raw, err := os.ReadFile(filepath.Join(filepath.Dir(g.log), "access.log"))
		check(t, err)
		if logged = string(raw); strings.Contains(logged, "/logged") {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if !strings.Contains(logged, "/logged") || strings.Contains(logged, "code=") {
		t.Errorf("logged: %s", logged)
	}
}

// HTTP/2 sends each cookie in a field of its own (RFC 9113, 8.2.3).
func TestNginxHTTP2(t *testing.T) {
	g := newGate(t)
	cookie, _ := g.signedIn("/")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://hr.example.gov.tw/x", nil)
	check(t, err)
	r.Header.Set("Cookie", "a=1; "+cookie+"; b=2")
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // #nosec G402 -- the test's own nginx
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", g.address)
		}}
	defer transport.CloseIdleConnections()
	got, err := transport.RoundTrip(r)
	check(t, err)
	if got.ProtoMajor != 2 || got.StatusCode != http.StatusOK {
		t.Fatal(got.Proto, got.Status)
	}
	if arrived := g.reached()[0].Header.Get("Cookie"); arrived != "a=1; b=2" {
		t.Errorf("%q", arrived)
	}
}

func TestNginxLetsNoHeaderIn(t *testing.T) {
	g := newGate(t)
	cookie, _ := g.signedIn("/")
	forged := []string{"Cookie", cookie}
	for _, name := range append([]string{"Menshen-Reason", "Menshen-Portal-Secret", "X-Original-Method", "X-Original-URI", "X-Original-Upgrade", "X-Original-URL", "X-Rewrite-URL",
		"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "Forwarded", "Menshen_Subject", "X_Real_IP"}, identityHeaders...) {
		forged = append(forged, name, "forged", strings.ToLower(name), "forged too")
	}
	forged = append(forged, "X-Forwarded-For", "192.0.2.99", "X-Real-IP", "192.0.2.99", "X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "http")
	if got := g.send("GET", "/", "", forged...); got.StatusCode != http.StatusOK {
		t.Fatal(got.Status, body(t, got))
	}
	h := g.reached()[0].Header
	for name, values := range h {
		if strings.Contains(strings.Join(values, " "), "forged") {
			t.Errorf("%s arrived: %q", name, values)
		}
	}
	if h.Get("X-Forwarded-For") != "127.0.0.1" || h.Get("X-Real-Ip") != "127.0.0.1" || h.Get("X-Forwarded-Host") != "hr.example.gov.tw" || h.Get("X-Forwarded-Proto") != "https" {
		t.Error(h)
	}
	// Without a session the same headers open nothing.
	if got := g.send("GET", "/", "", append(forged[2:], page...)...); got.StatusCode != http.StatusSeeOther || len(g.reached()) != 0 {
		t.Error(got.Status)
	}
	// Nor can a client speak as the proxy, or reach the question itself.
	for _, target := range []string{"/.menshen/auth", "/forward-auth", "/.menshen/forward-auth", "/.menshen/unavailable.html"} {
		got := g.send("GET", target, "", "Cookie", cookie, "Menshen-Portal-Secret", secret, "X-Original-Method", "GET", "X-Original-URI", "/", "X-Real-IP", "127.0.0.1", "Accept", "application/json")
		arrived := g.reached() // what is no address of the proxy's is the application's
		if (got.StatusCode == http.StatusOK && len(arrived) == 0) || got.Header.Get("Menshen-Token") != "" {
			t.Errorf("%s: %s", target, got.Status)
		}
	}
}

func TestNginxKeepsCookiesFromTheApplication(t *testing.T) {
	g := newGate(t)
	cookie, _ := g.signedIn("/")
	pre := "__Host-menshen-pre=" + strings.Repeat("A", 43)
	for sent, want := range map[string]string{
		cookie:                             "",
		cookie + "; a=1":                   "a=1",
		"a=1; " + cookie:                   "a=1",
		"a=1; " + cookie + "; b=2":         "a=1; b=2",
		"a=1;" + cookie + ";b=2":           "a=1;b=2",
		pre + "; " + cookie + "; a=1":      "a=1",
		"a=1; " + pre + "; b=2; " + cookie: "a=1; b=2",
		cookie + "; " + pre:                "",
		"a=1; " + strings.Repeat(cookie+"; ", 3) + "b=2": "a=1; b=2",
		"a=1; " + strings.Repeat(cookie+"; ", 5) + "b=2": "",
		cookie + "; not__Host-menshen-session=1":         "",
		cookie + "; a=x=y; q=\"z\"":                      "a=x=y; q=\"z\"",
	} {
		got := g.send("GET", "/", "", "Cookie", sent)
		if got.StatusCode != http.StatusOK {
			t.Errorf("%q: %s", sent, got.Status)
			continue
		}
		if arrived := g.reached()[0].Header.Get("Cookie"); arrived != want {
			t.Errorf("%q arrived as %q", sent, arrived)
		}
	}
	raw, err := os.ReadFile(g.log)
	check(t, err)
	if len(raw) > 0 {
		t.Errorf("nginx complains: %s", raw)
	}
}

// The browser comes back to the very address that it asked for.
func TestNginxReturnsToTheVeryAddress(t *testing.T) {
	g := newGate(t)
	long := "/search?q=" + strings.Repeat("a%20b%2Fc&d=1;", 560)
	for _, target := range []string{
		"/a%2Fb", "/a%252Fb", "/a%5Cb?c=%5C", "/%E4%BA%BA%E4%BA%8B?%E5%B9%B4=1", "/a?b=//c", "/a?x=%0d%0aSet-Cookie:%20y=1", "/a?b=c%23d", "/a;b=c/d?e", "/?", "/a?rd=%2Fb&h=1",
		long,
	} {
		if _, back := g.signedIn(target); back != target {
			t.Errorf("%.60q leads back to %.60q", target, back)
		}
	}
	if len(long) < 7800 {
		t.Fatal("not a long address:", len(long))
	}
	for _, target := range []string{"//evil.example/", "/a//b", "/x/%2e%2e/a", "/a/./b/../c", "/" + strings.Repeat("x", wire.MaxReturnPath)} {
		if _, back := g.signedIn(target); back != "/" {
			t.Errorf("%.60q leads back to %.60q", target, back)
		}
	}
}

func TestNginxReplaysNothing(t *testing.T) {
	g := newGate(t)
	form := g.send("POST", "/save?id=7", "amount=100", append([]string{"Content-Type", "application/x-www-form-urlencoded", "Referer", hr.Origin + "/form"}, page...)...)
	if text := body(t, form); form.StatusCode != http.StatusUnauthorized || text != "fault ZT-SES-007 again=/.menshen/start?rd=%2Fform" || form.Header.Get("Location") != "" {
		t.Error(form.Status, text)
	}
	script := g.send("POST", "/api", `{"amount":100}`, "Sec-Fetch-Mode", "cors", "Accept", "*/*", "Referer", hr.Origin+"/form")
	if text := body(t, script); script.StatusCode != http.StatusUnauthorized || script.Header.Get("Content-Type") != "application/problem+json" ||
		!strings.Contains(text, `"sign_in":"https://hr.example.gov.tw/.menshen/start?rd=%2Fform"`) {
		t.Error(script.Status, text)
	}
	g.signedIn("/form")
	if n := len(g.reached()); n != 0 {
		t.Errorf("%d requests reached the application", n)
	}
	// Once signed in, a body arrives whole.
	cookie, _ := g.signedIn("/")
	if got := g.send("POST", "/save", "amount=100", "Cookie", cookie); got.StatusCode != http.StatusOK {
		t.Fatal(got.Status)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.arrived[0].Method != "POST" || g.bodies[0] != "amount=100" {
		t.Error(g.arrived[0].Method, g.bodies)
	}
}

func TestNginxGradesWhatArrives(t *testing.T) {
	g := newGate(t)
	cookie, _ := g.signedIn("/")
	g.decide(g.readsOnly)
	for method, want := range map[string]int{"GET": 200, "HEAD": 200, "POST": 403, "PUT": 403, "DELETE": 403, "OPTIONS": 403, "PROPFIND": 403} {
		got := g.send(method, "/", "", "Cookie", cookie, "X-HTTP-Method-Override", "GET", "X-Original-Method", "GET")
		if got.StatusCode != want {
			t.Errorf("%s: %s", method, got.Status)
		}
		for _, r := range g.reached() {
			if r.Method != "GET" && r.Method != "HEAD" {
				t.Errorf("%s reached the application", r.Method)
			}
		}
	}
	denied := g.send("POST", "/save", "", append([]string{"Cookie", cookie, "Referer", hr.Origin + "/form"}, page...)...)
	if text := body(t, denied); denied.StatusCode != http.StatusForbidden || !strings.HasSuffix(text, "return=/form read=true") || denied.Header.Get("Menshen-Decision") == "" {
		t.Error(denied.Status, text)
	}
	script := g.send("POST", "/api", "", "Cookie", cookie, "Sec-Fetch-Mode", "cors")
	if text := body(t, script); script.StatusCode != http.StatusForbidden || !strings.Contains(text, `"decision":"`+script.Header.Get("Menshen-Decision")+`"`) {
		t.Error(script.Status, text)
	}
}

// upgrade sends a GET that asks for an upgrade and returns the first line.
func (g *gate) upgrade(cookie, to string) string {
	g.t.Helper()
	conn, err := tls.Dial("tcp", g.address, &tls.Config{InsecureSkipVerify: true, ServerName: "hr.example.gov.tw"}) // #nosec G402 -- the test's own nginx
	check(g.t, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "GET /ws HTTP/1.1\r\nHost: hr.example.gov.tw\r\nCookie: %s\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", cookie, to)
	check(g.t, err)
	line, err := bufio.NewReader(conn).ReadString('\n')
	check(g.t, err)
	return strings.TrimSpace(line)
}

func TestNginxUpgrades(t *testing.T) {
	g := newGate(t)
	cookie, _ := g.signedIn("/")
	if line := g.upgrade(cookie, "websocket"); line != "HTTP/1.1 101 Switching Protocols" {
		t.Error(line)
	}
	g.reached()
	// Any other upgrade would carry requests past the decision.
	if line := g.upgrade(cookie, "h2c"); line != "HTTP/1.1 200 OK" {
		t.Error(line)
	}
	for _, r := range g.reached() {
		if r.Header.Get("Upgrade") != "" {
			t.Error("the application was asked to upgrade to", r.Header.Get("Upgrade"))
		}
	}
	g.decide(g.readsOnly)
	for _, to := range []string{"websocket", "h2c", "WebSocket"} {
		if line := g.upgrade(cookie, to); line != "HTTP/1.1 403 Forbidden" {
			t.Errorf("reads only, and %s is answered %s", to, line)
		}
	}
}

func TestNginxClosesWithoutThePDP(t *testing.T) {
	g := newGate(t)
	cookie, _ := g.signedIn("/")
	g.pdp.CloseClientConnections()
	g.pdp.Close()
	for name, header := range map[string][]string{"page": page, "form": page, "script": {"Sec-Fetch-Mode", "cors"}, "other": nil} {
		method := "GET"
		if name == "form" {
			method = "POST"
		}
		for _, target := range []string{"/", "/.menshen/start", "/.menshen/assets/x"} {
			got := g.send(method, target, "", append([]string{"Cookie", cookie}, header...)...)
			text := body(t, got)
			if got.StatusCode != http.StatusInternalServerError || !strings.Contains(text, "ZT-SYS-002") || !strings.Contains(text, "\u5b58\u53d6\u670d\u52d9") || !strings.Contains(text, "Access service not available") {
				t.Errorf("%s %s: %s %s", name, target, got.Status, text)
			}
			want := "text/html; charset=utf-8"
			if name == "script" {
				want = "application/problem+json"
			}
			if kind := got.Header.Get("Content-Type"); kind != want {
				t.Errorf("%s %s: %s", name, target, kind)
			}
			if name != "script" && !strings.Contains(got.Header.Get("Content-Security-Policy"), styleHash(text)) {
				t.Errorf("the page's style is not what its policy permits: %s", styleHash(text))
			}
		}
	}
	if len(g.reached()) != 0 {
		t.Error("something passed")
	}
}

// An impostor in the PDP's place proves nothing by a certificate of its own.
func TestNginxVerifiesThePDP(t *testing.T) {
	g := newGate(t)
	cookie, _ := g.signedIn("/")
	address := g.pdp.Listener.Addr().String()
	g.pdp.CloseClientConnections()
	g.pdp.Close()
	listener, err := net.Listen("tcp", address)
	check(t, err)
	_, issue := authority(t)
	impostor := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
	check(t, impostor.Listener.Close())
	impostor.Listener = listener
	impostor.TLS = &tls.Config{Certificates: []tls.Certificate{issue("localhost")}}
	impostor.StartTLS()
	defer impostor.Close()
	if got := g.send("GET", "/", "", "Cookie", cookie); got.StatusCode != http.StatusInternalServerError || len(g.reached()) != 0 {
		t.Fatal(got.Status)
	}
}

func TestNginxWithAWrongSecret(t *testing.T) {
	g := newGate(t)
	cookie, _ := g.signedIn("/")
	g.set(func() { g.removed = true })
	g.server.PortalsChanged()
	got := g.send("GET", "/", "", append([]string{"Cookie", cookie}, page...)...)
	if text := body(t, got); got.StatusCode != http.StatusUnauthorized || !strings.Contains(text, "ZT-SES-020") || len(g.reached()) != 0 {
		t.Fatal(got.Status, text)
	}
}

func TestNginxSignOutAndCheck(t *testing.T) {
	g := newGate(t)
	cookie, _ := g.signedIn("/")
	own := []string{"Cookie", cookie, "Origin", hr.Origin, "Sec-Fetch-Site", "same-origin", "Content-Type", "application/json"}
	if got := g.send("POST", "/.menshen/check", "{}", own...); got.StatusCode != http.StatusOK {
		t.Fatal(got.Status, body(t, got))
	}
	if got := g.send("GET", "/.menshen/check/cmd-1", "", "Cookie", cookie); got.StatusCode != http.StatusOK || !strings.Contains(body(t, got), `"stage":"sent"`) {
		t.Fatal(got.Status)
	}
	if got := g.send("GET", "/.menshen/assets/abc/page.js", ""); body(t, got) != "asset /abc/page.js" {
		t.Error(got.Status)
	}
	if got := g.send("POST", "/.menshen/sign-out", "", "Cookie", cookie, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"); got.StatusCode != http.StatusForbidden {
		t.Fatal(got.Status)
	}
	if got := g.send("POST", "/.menshen/sign-out", "", own...); got.StatusCode != http.StatusSeeOther {
		t.Fatal(got.Status, body(t, got))
	}
	if got := g.send("GET", "/", "", append([]string{"Cookie", cookie}, page...)...); got.StatusCode != http.StatusSeeOther {
		t.Fatal("still signed in:", got.Status)
	}
	if got := g.send("POST", "/.menshen/check", strings.Repeat(" ", 20<<10), own...); got.StatusCode != http.StatusRequestEntityTooLarge {
		t.Error(got.Status)
	}
}

func write(t testing.TB, name string, content []byte) {
	t.Helper()
	check(t, os.WriteFile(name, content, 0o600))
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	return l.Addr().String()
}

// authority is a CA of its own: its certificate, and what issues under it.
func authority(t testing.TB) (ca []byte, issue func(name string) tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test CA"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, root, root, key.Public(), key)
	check(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), func(name string) tls.Certificate {
		own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		check(t, err)
		leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotBefore: root.NotBefore, NotAfter: root.NotAfter,
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
		der, err := x509.CreateCertificate(rand.Reader, leaf, root, own.Public(), key)
		check(t, err)
		return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: own}
	}
}
