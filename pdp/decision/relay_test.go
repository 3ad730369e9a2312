package decision_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/reason"
)

// relayed is what Traefik and Caddy send.
func (w *world) relayed(original string, header map[string]string) *http.Response {
	w.t.Helper()
	method, uri, _ := strings.Cut(original, " ")
	all := map[string]string{"X-Original-Method": "-", "X-Original-URI": "-", "X-Real-IP": "-",
		"X-Forwarded-Method": method, "X-Forwarded-Uri": uri, "X-Forwarded-Host": "hr.example.gov.tw", "X-Forwarded-For": "192.0.2.10"}
	for name, value := range header {
		all[name] = value
	}
	return w.ask(asked{path: "/forward-auth/relay", header: all})
}

func TestTheRelayAnswersTheBrowser(t *testing.T) {
	w := newWorld(t)
	cookie := w.enter()
	granted := w.relayed("GET /records", map[string]string{"Cookie": cookie})
	if granted.StatusCode != http.StatusOK || granted.Header.Get("Menshen-Subject") != "per-1" {
		t.Fatal(granted.Status, granted.Header)
	}
	for _, name := range identityHeaders {
		if len(granted.Header.Values(name)) != 1 {
			t.Errorf("%s does not stand in the answer once", name)
		}
	}

	page := w.relayed("GET /records?page=2", map[string]string{"Sec-Fetch-Mode": "navigate"})
	code, handle := w.signIn(page.Header.Get("Location"))
	if page.StatusCode != http.StatusSeeOther || code == "" || handle.ReturnPath != "/records?page=2" {
		t.Error(page.Status, handle)
	}
	cookieOf(t, page, "__Host-menshen-pre")

	script := w.relayed("POST /api", map[string]string{"Sec-Fetch-Mode": "cors", "Referer": hr.Origin + "/form"})
	if text := body(t, script); script.StatusCode != http.StatusUnauthorized || script.Header.Get("Content-Type") != "application/problem+json" ||
		!strings.Contains(text, `"sign_in":"https://hr.example.gov.tw/.menshen/start?rd=%2Fform"`) {
		t.Error(script.Status, text)
	}
	form := w.relayed("POST /save", map[string]string{"Sec-Fetch-Mode": "navigate", "Referer": hr.Origin + "/form"})
	if text := body(t, form); form.StatusCode != http.StatusUnauthorized || text != "fault ZT-SES-007 again=/.menshen/start?rd=%2Fform" || form.Header.Get("Location") != "" {
		t.Error(form.Status, text)
	}

	w.decide(w.readsOnly)
	denied := w.relayed("POST /save", map[string]string{"Cookie": cookie, "Sec-Fetch-Mode": "navigate", "Referer": hr.Origin + "/form"})
	if text := body(t, denied); denied.StatusCode != http.StatusForbidden || !strings.HasPrefix(text, "denied ") || !strings.HasSuffix(text, "return=/form read=true") {
		t.Error(denied.Status, text)
	}
	api := w.relayed("POST /api", map[string]string{"Cookie": cookie, "Sec-Fetch-Mode": "cors"})
	if text := body(t, api); api.StatusCode != http.StatusForbidden || !strings.Contains(text, `"decision":"`+api.Header.Get("Menshen-Decision")+`"`) {
		t.Error(api.Status, text)
	}
	// What the browser is told is not what the proxy is.
	for _, refused := range []*http.Response{page, script, form, denied, api} {
		for _, name := range append([]string{"Menshen-Reason"}, identityHeaders...) {
			if _, stands := refused.Header[name]; stands && name != "Menshen-Decision" {
				t.Errorf("%s went to the browser", name)
			}
		}
		if refused.Header.Get("Cache-Control") != "no-store" {
			t.Error(refused.Header)
		}
	}
}

// Each header is left out, doubled and broken by itself.
func TestTheRelayAsksForEachHeader(t *testing.T) {
	w := newWorld(t)
	cookie := w.enter()
	for _, name := range []string{"X-Forwarded-Method", "X-Forwarded-Uri", "X-Forwarded-Host", "X-Forwarded-For"} {
		for what, value := range map[string]string{"missing": "-", "empty": ""} {
			got := w.relayed("GET /", map[string]string{"Cookie": cookie, name: value})
			if text := body(t, got); got.StatusCode != http.StatusInternalServerError || !strings.Contains(text, reason.ProxyMalformed) {
				t.Errorf("%s %s: %s %s", name, what, got.Status, text)
			}
		}
		method := map[string]string{"Cookie": cookie, "X-Original-Method": "-", "X-Original-URI": "-", "X-Real-IP": "-",
			"X-Forwarded-Method": "GET", "X-Forwarded-Uri": "/", "X-Forwarded-Host": "hr.example.gov.tw", "X-Forwarded-For": "192.0.2.10"}
		if got := w.ask(asked{path: "/forward-auth/relay", header: method, twice: name}); got.StatusCode != http.StatusInternalServerError {
			t.Errorf("%s twice: %s", name, got.Status)
		}
	}
	for _, list := range []string{"192.0.2.99, 192.0.2.10", "unknown", "192.0.2.10:1234"} {
		if got := w.relayed("GET /", map[string]string{"Cookie": cookie, "X-Forwarded-For": list}); got.StatusCode != http.StatusInternalServerError {
			t.Errorf("%q: %s", list, got.Status)
		}
	}
	// What forward-auth is told by, the relay is not, and the other way round.
	if got := w.relayed("GET /", map[string]string{"Cookie": cookie, "X-Forwarded-Method": "-", "X-Original-Method": "GET"}); got.StatusCode != http.StatusInternalServerError {
		t.Error(got.Status)
	}
	w.decide(w.readsOnly)
	got := w.ask(asked{original: "POST /", header: map[string]string{"Cookie": cookie, "X-Forwarded-Method": "GET"}})
	if got.StatusCode != http.StatusForbidden {
		t.Error(got.Status)
	}
}

func TestTheRelayServesThePortalsOwnHost(t *testing.T) {
	w := newWorld(t)
	cookie := w.enter()
	for host, want := range map[string]int{"hr.example.gov.tw": 200, "HR.example.gov.tw:443": 200, "evil.example": 421, "hr.example.gov.tw.evil.example": 421,
		"budget.example.gov.tw": 421, "hr.example.gov.tw:8443": 421, "https://hr.example.gov.tw": 421} {
		if got := w.relayed("GET /", map[string]string{"Cookie": cookie, "X-Forwarded-Host": host}); got.StatusCode != want {
			t.Errorf("%s: %s", host, got.Status)
		}
	}
}

func TestTheRelaysUpgradesAreWrites(t *testing.T) {
	w := newWorld(t)
	cookie := w.enter()
	w.decide(w.readsOnly)
	for name, want := range map[string]int{"X-Original-Upgrade": 403, "Upgrade": 403} {
		if got := w.relayed("GET /ws", map[string]string{"Cookie": cookie, name: "websocket"}); got.StatusCode != want {
			t.Errorf("%s: %s", name, got.Status)
		}
		// A template that had nothing to fill in.
		if got := w.relayed("GET /ws", map[string]string{"Cookie": cookie, name: ""}); got.StatusCode != http.StatusOK {
			t.Errorf("%s empty: %s", name, got.Status)
		}
	}
}

// What is left of the client's cookies is told to a proxy that cannot take
// Menshen's out by itself, and to no browser.
func TestTheRelayTellsTheApplicationsCookies(t *testing.T) {
	w := newWorld(t)
	cookie := w.enter()
	for sent, want := range map[string]string{cookie: "", "a=1; " + cookie + "; b=2": "a=1; b=2", "a=1, " + cookie + "; " + cookie: ""} {
		got := w.relayed("GET /", map[string]string{"Cookie": sent})
		if got.StatusCode != http.StatusOK || got.Header.Get("Cookie") != want {
			t.Errorf("%q: %s %q", sent, got.Status, got.Header.Values("Cookie"))
		}
	}
	if got := w.relayed("GET /", map[string]string{"Cookie": "a=1"}); got.StatusCode == http.StatusOK || got.Header.Get("Cookie") != "" {
		t.Error(got.Status, got.Header)
	}
}

// A proxy that passes on what is the PDP's need not say what it passes on.
func TestThePDPsOwnAddressesSpeakForThemselves(t *testing.T) {
	w := newWorld(t)
	bare := map[string]string{"X-Original-Method": "-", "X-Original-URI": "-"}
	if got := w.ask(asked{path: "/.menshen/start?rd=/records", header: bare}); got.StatusCode != http.StatusSeeOther {
		t.Error(got.Status, body(t, got))
	} else if _, handle := w.signIn(got.Header.Get("Location")); handle.ReturnPath != "/records" {
		t.Error(handle)
	}
	if got := w.ask(asked{path: "/.menshen/sign-out", method: http.MethodPost, header: bare}); got.StatusCode != http.StatusForbidden {
		t.Error(got.Status)
	}
	// The question is never about itself, and one of the two is no description.
	for _, path := range []string{"/forward-auth", "/forward-auth/relay"} {
		if got := w.ask(asked{path: path, header: bare}); got.StatusCode != http.StatusInternalServerError {
			t.Error(path, got.Status)
		}
	}
	if got := w.ask(asked{path: "/.menshen/start", header: map[string]string{"X-Original-URI": "-"}}); got.StatusCode != http.StatusInternalServerError {
		t.Error(got.Status)
	}
}
