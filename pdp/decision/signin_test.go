package decision_test

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/session"
)

var navigate = map[string]string{"Sec-Fetch-Mode": "navigate", "Accept": "text/html"}

func with(base map[string]string, pairs ...string) map[string]string {
	all := map[string]string{}
	for k, v := range base {
		all[k] = v
	}
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = pairs[i+1]
	}
	return all
}

func TestNavigationGoesToSignInAndScriptsAreTold(t *testing.T) {
	w := newWorld(t)
	page := w.ask(asked{path: "/.menshen/challenge", original: "GET /report?year=2026", header: navigate})
	if page.StatusCode != http.StatusSeeOther || page.Header.Get("Cache-Control") != "no-store" {
		t.Fatal(page.Status, page.Header)
	}
	_, handle := w.signIn(page.Header.Get("Location"))
	if handle.ReturnPath != "/report?year=2026" || handle.Network != "192.0.2.0/24" || handle.Portal != hr.ID || !handle.FreshAfter.IsZero() {
		t.Fatalf("%+v", handle)
	}
	old := w.ask(asked{path: "/.menshen/challenge", original: "GET /", header: map[string]string{"Accept": "text/html,*/*"}})
	if old.StatusCode != http.StatusSeeOther {
		t.Error("a browser without Fetch Metadata is not sent to sign in:", old.Status)
	}
	for name, a := range map[string]asked{
		"script":          {original: "GET /api", header: map[string]string{"Sec-Fetch-Mode": "cors", "Accept": "text/html", "Referer": hr.Origin + "/report?year=2026"}},
		"script's POST":   {original: "POST /api", header: map[string]string{"Sec-Fetch-Mode": "cors", "Referer": hr.Origin + "/report?year=2026"}},
		"no browser":      {original: "GET /api", header: map[string]string{"Accept": "application/json", "Referer": hr.Origin + "/report?year=2026"}},
		"WebSocket":       {original: "GET /ws", header: map[string]string{"Sec-Fetch-Mode": "websocket", "X-Original-Upgrade": "websocket", "Referer": hr.Origin + "/report?year=2026"}},
		"foreign referer": {original: "GET /api", header: map[string]string{"Referer": "https://evil.example/report"}},
	} {
		a.path = "/.menshen/challenge"
		got := w.ask(a)
		text := body(t, got)
		want := `"sign_in":"https://hr.example.gov.tw/.menshen/start?rd=%2Freport%3Fyear%3D2026"`
		if name == "foreign referer" {
			want = `"sign_in":"https://hr.example.gov.tw/.menshen/start?rd=%2F"`
		}
		if got.StatusCode != http.StatusUnauthorized || !strings.Contains(text, want) || got.Header.Get("WWW-Authenticate") == "" || len(got.Cookies()) != 0 {
			t.Errorf("%s: %s %s", name, got.Status, text)
		}
	}
}

// A form that comes too late is told so; nobody sends it again.
func TestFormIsNotReplayed(t *testing.T) {
	w := newWorld(t)
	got := w.ask(asked{path: "/.menshen/challenge", original: "POST /save?id=7", header: with(navigate, "Referer", hr.Origin+"/form")})
	text := body(t, got)
	if got.StatusCode != http.StatusUnauthorized || text != "fault ZT-SES-007 again=/.menshen/start?rd=%2Fform" || got.Header.Get("Location") != "" {
		t.Fatal(got.Status, text)
	}
}

func TestStart(t *testing.T) {
	w := newWorld(t)
	for rd, want := range map[string]string{
		"/a?b=c&d=%2F": "/a?b=c&d=%2F", "": "/", "https://evil.example/": "/", "//evil.example": "/", "/\\evil.example": "/",
		"/a//b": "/", "/.menshen/start": "/", "javascript:alert(1)": "/", "/\tevil": "/", "/a#b": "/", "/%2e%2e/x": "/",
	} {
		got := w.ask(asked{path: "/.menshen/start?rd=" + url.QueryEscape(rd), header: navigate})
		if _, handle := w.signIn(got.Header.Get("Location")); handle.ReturnPath != want {
			t.Errorf("%q leads back to %q", rd, handle.ReturnPath)
		}
	}
	cookie := w.enter()
	got := w.ask(asked{path: "/.menshen/start?rd=%2Fx", header: with(navigate, "Cookie", cookie)})
	if got.Header.Get("Location") != "/x" {
		t.Error("signed in, and sent to sign in again:", got.Header)
	}
	got = w.ask(asked{path: "/.menshen/start?fresh=1&rd=%2Fx", header: with(navigate, "Cookie", cookie)})
	if _, handle := w.signIn(got.Header.Get("Location")); !handle.FreshAfter.Equal(w.clock()) {
		t.Error("a fresh touch was not asked for")
	}
}

func TestStepUpAsksForAFreshTouch(t *testing.T) {
	w := newWorld(t)
	cookie := w.enter()
	w.pass(5*time.Minute, cookie)
	w.decide(func(session.Subject, wire.Action) (wire.Facts, wire.Decision) {
		return w.facts(), wire.Decision{Effect: wire.StepUp, ValidUntil: w.clock().Add(time.Hour)}
	})
	if got := w.ask(asked{header: with(navigate, "Cookie", cookie)}); got.StatusCode != http.StatusUnauthorized || got.Header.Get("Menshen-Reason") != reason.FreshKeyNeeded {
		t.Fatal(got.Status, got.Header)
	}
	for _, path := range []string{"/.menshen/challenge", "/.menshen/start"} {
		got := w.ask(asked{path: path, header: with(navigate, "Cookie", cookie)})
		if _, handle := w.signIn(got.Header.Get("Location")); !handle.FreshAfter.Equal(w.clock()) {
			t.Error(path, "does not ask for a fresh touch")
		}
	}
}

// A write that needs a fresh touch sends the form's page to ask for one, and
// starting does not stop at the session that reads already have.
func TestStepUpOfAWrite(t *testing.T) {
	w := newWorld(t)
	cookie := w.enter()
	w.pass(5*time.Minute, cookie)
	w.decide(func(s session.Subject, a wire.Action) (wire.Facts, wire.Decision) {
		f, d := w.allow(s, a)
		if a != wire.ActionRead {
			d.Effect = wire.StepUp
		}
		return f, d
	})
	if got := w.ask(asked{header: with(navigate, "Cookie", cookie)}); got.StatusCode != http.StatusOK {
		t.Fatal(got.Status)
	}
	form := w.ask(asked{path: "/.menshen/challenge", original: "POST /save", header: with(navigate, "Cookie", cookie, "Referer", hr.Origin+"/form")})
	if text := body(t, form); text != "fault ZT-SES-007 again=/.menshen/start?rd=%2Fform&fresh=1" {
		t.Error(text)
	}
	script := w.ask(asked{original: "POST /save", header: map[string]string{"Sec-Fetch-Mode": "cors", "Cookie": cookie}})
	if text := body(t, script); script.StatusCode != http.StatusUnauthorized || !strings.Contains(text, "rd=%2F\\u0026fresh=1") {
		t.Error(script.Status, text)
	}
}

// What was refused and is settled when the browser asks why: a page is shown
// again, anything else is not repeated.
func TestSettledMeanwhile(t *testing.T) {
	w := newWorld(t)
	cookie := w.enter()
	for name, c := range map[string]struct {
		original, mode string
		status         int
		says           string
	}{
		"page":   {"GET /x", "navigate", http.StatusSeeOther, ""},
		"form":   {"POST /x", "navigate", http.StatusForbidden, reason.FormNotSent},
		"script": {"GET /x", "cors", http.StatusForbidden, reason.FormNotSent},
	} {
		got := w.ask(asked{path: "/.menshen/denied", original: c.original, header: map[string]string{"Cookie": cookie, "Sec-Fetch-Mode": c.mode}})
		if text := body(t, got); got.StatusCode != c.status || !strings.Contains(text, c.says) {
			t.Errorf("%s: %s %s", name, got.Status, text)
		}
	}
	for name, c := range map[string]struct {
		original, mode string
		status         int
		says           string
	}{
		"page":   {"GET /x", "navigate", http.StatusSeeOther, ""},
		"form":   {"POST /x", "navigate", http.StatusUnauthorized, reason.FormNotSent},
		"script": {"GET /x", "cors", http.StatusUnauthorized, reason.SessionNone},
	} {
		got := w.ask(asked{path: "/.menshen/denied", original: c.original, header: map[string]string{"Sec-Fetch-Mode": c.mode}})
		if text := body(t, got); got.StatusCode != c.status || !strings.Contains(text, c.says) {
			t.Errorf("%s, signed out: %s %s", name, got.Status, text)
		}
	}
}

func TestTooLongToCarryComesBackToTheRoot(t *testing.T) {
	w := newWorld(t)
	got := w.ask(asked{path: "/.menshen/challenge", original: "GET /?q=" + strings.Repeat(`"`, 8000), header: navigate})
	if _, handle := w.signIn(got.Header.Get("Location")); handle.ReturnPath != "/" {
		t.Fatal(handle.ReturnPath)
	}
	w.set(func() { w.sealErr = errors.New("no entropy") })
	if got := w.ask(asked{path: "/.menshen/challenge", header: navigate}); got.StatusCode != http.StatusServiceUnavailable {
		t.Fatal(got.Status)
	}
}

// begun is a sign-in that the PDP has ended well.
func (w *world) begun() (pre, code string) {
	w.t.Helper()
	got := w.ask(asked{path: "/.menshen/challenge", original: "GET /report", header: navigate})
	code, _ = w.signIn(got.Header.Get("Location"))
	return cookieOf(w.t, got, "__Host-menshen-pre"), code
}

func TestCallback(t *testing.T) {
	w := newWorld(t)
	pre, code := w.begun()
	got := w.ask(asked{path: "/.menshen/callback?code=" + code, header: with(navigate, "Cookie", pre)})
	if got.StatusCode != http.StatusSeeOther || got.Header.Get("Location") != "/report" {
		t.Fatal(got.Status, got.Header)
	}
	cookieOf(t, got, "__Host-menshen-session")
	cleared := false
	for _, c := range got.Cookies() {
		cleared = cleared || (c.Name == "__Host-menshen-pre" && c.MaxAge < 0)
	}
	if !cleared {
		t.Error("the pre-session cookie stays")
	}
	// The code works once.
	again := w.ask(asked{path: "/.menshen/callback?code=" + code, header: with(navigate, "Cookie", pre)})
	if text := body(t, again); again.StatusCode != http.StatusForbidden || !strings.Contains(text, reason.LoginRefused) {
		t.Fatal(again.Status, text)
	}
}

func TestCallbackRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *world, a *asked, pre string)
		code   string
		status int
	}{
		"no cookie": {func(_ *world, a *asked, _ string) { a.header["Cookie"] = "-" }, reason.LoginOtherBrowser, http.StatusForbidden},
		"another's cookie": {func(_ *world, a *asked, _ string) {
			a.header["Cookie"] = "__Host-menshen-pre=" + strings.Repeat("A", 43)
		}, reason.LoginRefused, http.StatusForbidden},
		"wrong code":      {func(_ *world, a *asked, _ string) { a.path += "x" }, reason.LoginRefused, http.StatusForbidden},
		"no code":         {func(_ *world, a *asked, _ string) { a.path = "/.menshen/callback" }, reason.LoginRefused, http.StatusForbidden},
		"another portal":  {func(_ *world, a *asked, _ string) { a.header["Menshen-Portal-Secret"] = otherSecret }, reason.LoginRefused, http.StatusForbidden},
		"another network": {func(_ *world, a *asked, _ string) { a.header["X-Real-IP"] = "198.51.100.7" }, reason.LoginNetworkMoved, http.StatusForbidden},
		"login of another portal": {func(w *world, _ *asked, _ string) {
			w.set(func() {
				for k, c := range w.codes {
					c.login.Portal = budget.ID
					w.codes[k] = c
				}
			})
		}, reason.LoginRefused, http.StatusForbidden},
		"cookie of nothing": {func(w *world, a *asked, _ string) {
			a.header["Cookie"] = "-"
			w.set(func() {
				for k, c := range w.codes {
					c.pre = sha256.Sum256(nil)
					w.codes[k] = c
				}
			})
		}, reason.LoginOtherBrowser, http.StatusForbidden},
		"audit closed": {func(w *world, _ *asked, _ string) { w.set(func() { w.logErr = errors.New("disk full") }) }, reason.Unavailable, http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			pre, code := w.begun()
			a := asked{path: "/.menshen/callback?code=" + code, header: with(navigate, "Cookie", pre)}
			c.change(w, &a, pre)
			got := w.ask(a)
			if text := body(t, got); got.StatusCode != c.status || !strings.Contains(text, c.code) {
				t.Fatal(got.Status, text)
			}
			for _, cookie := range got.Cookies() {
				if cookie.Name == "__Host-menshen-session" && cookie.Value != "" {
					t.Fatal("a session was started")
				}
			}
		})
	}
}

// Tabs that sign in at one time share the cookie; the one that comes last finds
// the session.
func TestTwoTabs(t *testing.T) {
	w := newWorld(t)
	first := w.ask(asked{path: "/.menshen/challenge", original: "GET /one", header: navigate})
	pre := cookieOf(t, first, "__Host-menshen-pre")
	second := w.ask(asked{path: "/.menshen/challenge", original: "GET /two", header: with(navigate, "Cookie", pre)})
	if cookieOf(t, second, "__Host-menshen-pre") != pre {
		t.Fatal("the second tab spoils the first one's sign-in")
	}
	code1, _ := w.signIn(first.Header.Get("Location"))
	code2, _ := w.signIn(second.Header.Get("Location"))
	session := cookieOf(t, w.ask(asked{path: "/.menshen/callback?code=" + code1, header: with(navigate, "Cookie", pre)}), "__Host-menshen-session")
	late := w.ask(asked{path: "/.menshen/callback?code=" + code2, header: with(navigate, "Cookie", session)})
	if late.StatusCode != http.StatusSeeOther || late.Header.Get("Location") != "/" {
		t.Fatal(late.Status, late.Header)
	}
}

// The new session's cookie replaces the old one, which is worth nothing then.
func TestReconfirmationRotatesTheCookie(t *testing.T) {
	w := newWorld(t)
	old := w.enter()
	w.set(func() { w.now = w.now.Add(11 * time.Minute) })
	begun := w.ask(asked{path: "/.menshen/challenge", original: "GET /x", header: with(navigate, "Cookie", old)})
	code, _ := w.signIn(begun.Header.Get("Location"))
	pre := cookieOf(t, begun, "__Host-menshen-pre")
	ended := w.ask(asked{path: "/.menshen/callback?code=" + code, header: with(navigate, "Cookie", old+"; "+pre)})
	fresh := cookieOf(t, ended, "__Host-menshen-session")
	if fresh == old || len(w.sessions.Sessions("per-1")) != 1 {
		t.Fatal("not rotated")
	}
	if got := w.ask(asked{header: map[string]string{"Cookie": old}}); got.StatusCode != http.StatusUnauthorized {
		t.Fatal("the old cookie still works")
	}
}

func TestSignOut(t *testing.T) {
	w := newWorld(t)
	cookie := w.enter()
	for name, header := range map[string]map[string]string{
		"another site":            {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
		"another host of ours":    {"Sec-Fetch-Site": "same-site", "Origin": "https://budget.example.gov.tw"},
		"origin alone, foreign":   {"Origin": "https://evil.example"},
		"origin alone, null":      {"Origin": "null"},
		"nothing":                 {},
		"cross-site, no origin":   {"Sec-Fetch-Site": "cross-site"},
		"same-site, null origin":  {"Sec-Fetch-Site": "same-site", "Origin": "null"},
		"cross-site, our origin":  {"Sec-Fetch-Site": "cross-site", "Origin": hr.Origin},
		"claims the site, not it": {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
	} {
		got := w.ask(asked{method: http.MethodPost, path: "/.menshen/sign-out", header: with(header, "Cookie", cookie)})
		if text := body(t, got); got.StatusCode != http.StatusForbidden || !strings.Contains(text, reason.CrossSite) {
			t.Errorf("%s: %s", name, got.Status)
		}
	}
	if got := w.ask(asked{path: "/.menshen/sign-out", header: map[string]string{"Cookie": cookie}}); got.StatusCode != http.StatusMethodNotAllowed {
		t.Error("GET:", got.Status)
	}
	if got := w.ask(asked{header: map[string]string{"Cookie": cookie}}); got.StatusCode != http.StatusOK {
		t.Fatal("signed out by what was refused")
	}
	got := w.ask(asked{method: http.MethodPost, path: "/.menshen/sign-out", header: map[string]string{"Cookie": cookie, "Sec-Fetch-Site": "same-origin", "Origin": "null"}})
	if got.StatusCode != http.StatusSeeOther || got.Header.Get("Location") != "/.menshen/signed-out" {
		t.Fatal(got.Status, got.Header)
	}
	if got := w.ask(asked{header: map[string]string{"Cookie": cookie}}); got.StatusCode != http.StatusUnauthorized {
		t.Fatal("still signed in")
	}
	if text := body(t, w.ask(asked{path: "/.menshen/signed-out"})); !strings.HasPrefix(text, "signed out") {
		t.Fatal(text)
	}
}

func TestAssetsAndUnknownAddresses(t *testing.T) {
	w := newWorld(t)
	if text := body(t, w.ask(asked{path: "/.menshen/assets/abc/page.js"})); text != "asset /abc/page.js" {
		t.Error(text)
	}
	for _, path := range []string{"/.menshen/", "/.menshen", "/", "/forward-auth/", "/.menshen/nothing", "/x/.menshen/start"} {
		if got := w.ask(asked{path: path}); got.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", path, got.Status)
		}
	}
	if got := w.ask(asked{method: http.MethodPost, path: "/.menshen/callback"}); got.StatusCode != http.StatusMethodNotAllowed || got.Header.Get("Allow") != "GET" {
		t.Error(got.Status)
	}
}
