package decision_test

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/session"
)

var identityHeaders = []string{"Menshen-Token", "Menshen-Subject", "Menshen-Account", "Menshen-Agency", "Menshen-Name", "Menshen-Device", "Menshen-Access", "Menshen-Decision"}

func TestForwardAuth(t *testing.T) {
	w := newWorld(t)
	cookie := w.enter()
	got := w.ask(asked{header: map[string]string{"Cookie": "theme=dark; " + cookie}})
	if got.StatusCode != http.StatusOK {
		t.Fatal(got.Status, body(t, got))
	}
	for name, want := range map[string]string{"Menshen-Subject": "per-1", "Menshen-Account": "wang.xm", "Menshen-Agency": "moda",
		"Menshen-Name": "%E7%8E%8B%E5%B0%8F%E6%98%8E", "Menshen-Device": "dev-1", "Menshen-Access": "full"} {
		if got.Header.Get(name) != want {
			t.Errorf("%s: %q", name, got.Header.Get(name))
		}
	}
	if strings.Count(got.Header.Get("Menshen-Token"), ".") != 2 || got.Header.Get("Menshen-Decision") == "" {
		t.Error(got.Header)
	}
	w.decide(func(s session.Subject, a wire.Action) (wire.Facts, wire.Decision) {
		f, d := w.allow(s, a)
		d.Obligations.ReadOnly = true
		return f, d
	})
	if got := w.ask(asked{header: map[string]string{"Cookie": cookie}}); got.Header.Get("Menshen-Access") != "read-only" {
		t.Error("the obligation to read only is not told")
	}
}

// Every identity header stands in every answer, so that a client's own is
// always overwritten.
func TestEveryIdentityHeaderAlwaysStands(t *testing.T) {
	w := newWorld(t)
	cookie := w.enter()
	for name, c := range map[string]struct {
		engine func(session.Subject, wire.Action) (wire.Facts, wire.Decision)
		cookie string
		status int
	}{
		"granted":  {w.allow, cookie, http.StatusOK},
		"refused":  {w.deny, cookie, http.StatusForbidden},
		"stranger": {w.allow, "", http.StatusUnauthorized},
	} {
		w.decide(c.engine)
		got := w.ask(asked{header: map[string]string{"Cookie": c.cookie}})
		if got.StatusCode != c.status {
			t.Errorf("%s: %s", name, got.Status)
		}
		for _, h := range identityHeaders {
			values, ok := got.Header[h]
			if !ok || len(values) != 1 {
				t.Errorf("%s: %s does not stand there once", name, h)
			}
			if c.status != http.StatusOK && h != "Menshen-Decision" && values[0] != "" {
				t.Errorf("%s: %s says %q", name, h, values[0])
			}
		}
	}
}

func TestDenialNamesItsDecision(t *testing.T) {
	w := newWorld(t)
	cookie := w.enter()
	w.decide(w.deny)
	got := w.ask(asked{header: map[string]string{"Cookie": cookie}})
	id := got.Header.Get("Menshen-Decision")
	if got.StatusCode != http.StatusForbidden || wire.CheckID(wire.PrefixDecision, id) != nil || got.Header.Get("Menshen-Reason") != "ZT-DEV-012" {
		t.Fatal(got.Status, got.Header)
	}
	page := w.ask(asked{path: "/.menshen/denied", original: "GET /form", header: map[string]string{"Cookie": cookie, "Sec-Fetch-Mode": "navigate"}})
	if text := body(t, page); page.StatusCode != http.StatusForbidden || text != "denied "+id+" ZT-DEV-012 device=LT-2231 return=/form read=false" {
		t.Fatal(page.Status, text)
	}
	script := w.ask(asked{path: "/.menshen/denied", original: "GET /api", header: map[string]string{"Cookie": cookie, "Sec-Fetch-Mode": "cors"}})
	if text := body(t, script); script.StatusCode != http.StatusForbidden || !strings.Contains(text, `"decision":"`+id+`"`) ||
		script.Header.Get("Content-Type") != "application/problem+json" {
		t.Fatal(script.Status, text)
	}
}

func TestRefusedWriteSaysThatReadingGoesOn(t *testing.T) {
	w := newWorld(t)
	cookie := w.enter()
	w.decide(func(s session.Subject, a wire.Action) (wire.Facts, wire.Decision) {
		if a == wire.ActionRead {
			return w.allow(s, a)
		}
		return w.deny(s, a)
	})
	w.ask(asked{header: map[string]string{"Cookie": cookie}})
	header := map[string]string{"Cookie": cookie, "Sec-Fetch-Mode": "navigate", "Referer": hr.Origin + "/form?x=1"}
	if got := w.ask(asked{original: "POST /save", header: header}); got.StatusCode != http.StatusForbidden {
		t.Fatal(got.Status)
	}
	text := body(t, w.ask(asked{path: "/.menshen/denied", original: "POST /save", header: header}))
	if !strings.HasSuffix(text, "return=/form?x=1 read=true") {
		t.Fatal(text)
	}
}

func TestWhatCountsAsAWrite(t *testing.T) {
	w := newWorld(t)
	cookie := w.enter()
	var seen wire.Action
	w.decide(func(s session.Subject, a wire.Action) (wire.Facts, wire.Decision) {
		seen = a
		return w.deny(s, a)
	})
	for original, want := range map[string]wire.Action{
		"GET /": wire.ActionRead, "HEAD /": wire.ActionRead, "POST /": wire.ActionWrite, "PUT /": wire.ActionWrite, "PATCH /": wire.ActionWrite,
		"DELETE /": wire.ActionWrite, "OPTIONS /": wire.ActionWrite, "TRACE /": wire.ActionWrite, "PROPFIND /": wire.ActionWrite,
		"get /": wire.ActionWrite, "GETX /": wire.ActionWrite,
	} {
		w.sessions.PolicyChanged()
		w.ask(asked{original: original, header: map[string]string{"Cookie": cookie}})
		if seen != want {
			t.Errorf("%s counts as %s", original, seen)
		}
	}
	for _, header := range []string{"X-Original-Upgrade", "Upgrade"} {
		w.sessions.PolicyChanged()
		w.ask(asked{header: map[string]string{"Cookie": cookie, header: "websocket"}})
		if seen != wire.ActionWrite {
			t.Errorf("a GET with %s counts as %s", header, seen)
		}
	}
}

func TestProxyMustProveThePortal(t *testing.T) {
	w := newWorld(t)
	cookie := w.enter()
	for name, header := range map[string]map[string]string{
		"nothing":       {"Menshen-Portal-Secret": "-"},
		"empty":         {"Menshen-Portal-Secret": ""},
		"wrong":         {"Menshen-Portal-Secret": secret[:42] + "A"},
		"long":          {"Menshen-Portal-Secret": secret + strings.Repeat("A", 300)},
		"padded":        {"Menshen-Portal-Secret": secret + "\x00"},
		"named instead": {"Menshen-Portal-Secret": "-", "Menshen-Portal": "por-hr", "X-Forwarded-Host": "hr.example.gov.tw"},
		"as bearer":     {"Menshen-Portal-Secret": "-", "Authorization": "Bearer " + secret},
	} {
		for _, path := range []string{"/forward-auth", "/.menshen/start", "/.menshen/assets/x", "/.menshen/denied"} {
			header["Cookie"] = cookie
			got := w.ask(asked{path: path, header: header})
			if text := body(t, got); got.StatusCode != http.StatusUnauthorized || !strings.Contains(text, reason.ProxyUnknown) {
				t.Errorf("%s, %s: %s %s", name, path, got.Status, text)
			}
		}
	}
}

// A proxy of one portal gets nothing out of another portal's cookie.
func TestCookieOfAnotherPortal(t *testing.T) {
	w := newWorld(t)
	cookie := w.enter()
	got := w.ask(asked{header: map[string]string{"Cookie": cookie, "Menshen-Portal-Secret": otherSecret, "Host": "hr.example.gov.tw"}})
	if got.StatusCode != http.StatusUnauthorized || got.Header.Get("Menshen-Subject") != "" {
		t.Fatal(got.Status, got.Header)
	}
}

func TestMisconfiguredProxy(t *testing.T) {
	w := newWorld(t)
	cookie := w.enter()
	for name, value := range map[string]string{"X-Original-Method": "-", "X-Original-URI": "-", "X-Real-IP": "-"} {
		got := w.ask(asked{header: map[string]string{"Cookie": cookie, name: value}})
		if text := body(t, got); got.StatusCode != http.StatusInternalServerError || !strings.Contains(text, reason.ProxyMalformed) {
			t.Errorf("without %s: %s %s", name, got.Status, text)
		}
	}
	for _, name := range []string{"X-Original-Method", "X-Original-URI", "X-Real-IP", "Menshen-Portal-Secret"} {
		if got := w.ask(asked{twice: name, header: map[string]string{"Cookie": cookie}}); got.StatusCode == http.StatusOK {
			t.Errorf("%s twice: %s", name, got.Status)
		}
	}
	if got := w.ask(asked{header: map[string]string{"Cookie": cookie, "X-Real-IP": "192.0.2.10, 198.51.100.7"}}); got.StatusCode != http.StatusInternalServerError {
		t.Errorf("two addresses: %s", got.Status)
	}
}

// X-Forwarded-For and its like are the client's word.
func TestClientCannotChooseItsNetwork(t *testing.T) {
	w := newWorld(t)
	cookie := w.enter()
	got := w.ask(asked{header: map[string]string{"Cookie": cookie, "X-Real-IP": "198.51.100.7", "X-Forwarded-For": "192.0.2.10", "Forwarded": "for=192.0.2.10"}})
	if text := body(t, got); got.StatusCode != http.StatusUnauthorized || !strings.Contains(text, reason.NetworkUnproven) || got.Header.Get("Menshen-Token") != "" {
		t.Fatal(got.Status, text)
	}
}

func TestPortalIsLookedUpOnceUntilItChanges(t *testing.T) {
	w := newWorld(t)
	cookie := w.enter()
	before := w.lookups
	for range 5 {
		w.ask(asked{header: map[string]string{"Cookie": cookie}})
	}
	if w.lookups != before {
		t.Fatal("looked up again")
	}
	w.set(func() { w.removed = true })
	w.server.PortalsChanged()
	if got := w.ask(asked{header: map[string]string{"Cookie": cookie}}); got.StatusCode != http.StatusUnauthorized {
		t.Fatal("a removed portal's secret still counts")
	}
}

// A change that comes while a portal is looked up is not overwritten by what
// was read before it.
func TestChangeDuringThePortalsLookUp(t *testing.T) {
	w := newWorld(t)
	w.set(func() { w.during = w.forgetPortals })
	w.ask(asked{})
	w.set(func() { w.during, w.removed = nil, true })
	if got := w.ask(asked{path: "/.menshen/signed-out"}); got.StatusCode != http.StatusUnauthorized {
		t.Fatal("what was read before the change is remembered:", got.Status)
	}
}

func TestClosedAuditRefuses(t *testing.T) {
	w := newWorld(t)
	cookie := w.enter()
	w.set(func() { w.logErr = http.ErrAbortHandler })
	got := w.ask(asked{header: map[string]string{"Cookie": cookie}})
	if got.StatusCode != http.StatusForbidden || got.Header.Get("Menshen-Reason") != reason.AuditClosed {
		t.Fatal(got.Status, got.Header)
	}
	page := w.ask(asked{path: "/.menshen/denied", header: map[string]string{"Cookie": cookie, "Sec-Fetch-Mode": "navigate"}})
	if text := body(t, page); page.StatusCode != http.StatusForbidden || !strings.Contains(text, reason.AuditClosed) {
		t.Fatal(page.Status, text)
	}
}

func TestCookieHeader(t *testing.T) {
	w := newWorld(t)
	cookie := w.enter()
	name, value, _ := strings.Cut(cookie, "=")
	for header, want := range map[string]int{
		cookie:                              http.StatusOK,
		"a=1;b=2;" + cookie + ";c":          http.StatusOK,
		"a=1; " + cookie:                    http.StatusOK,
		"x" + cookie:                        http.StatusUnauthorized,
		strings.ToLower(name) + "=" + value: http.StatusUnauthorized,
		name + "=\"" + value + "\"":         http.StatusUnauthorized,
		name + "=" + value + "A":            http.StatusUnauthorized,
		name + "=":                          http.StatusUnauthorized,
		name:                                http.StatusUnauthorized,
		"":                                  http.StatusUnauthorized,
		"a=" + cookie:                       http.StatusUnauthorized,
	} {
		if got := w.ask(asked{header: map[string]string{"Cookie": header}}); got.StatusCode != want {
			t.Errorf("%q: %s", header, got.Status)
		}
	}
}

func TestSessionEndsByTime(t *testing.T) {
	w := newWorld(t)
	cookie := w.enter()
	w.pass(11*time.Minute, cookie)
	page := map[string]string{"Cookie": cookie, "Sec-Fetch-Mode": "navigate"}
	script := map[string]string{"Cookie": cookie, "Sec-Fetch-Mode": "cors"}
	if got := w.ask(asked{header: script}); got.StatusCode != http.StatusOK {
		t.Fatal(got.Status, body(t, got))
	}
	if got := w.ask(asked{header: page}); got.StatusCode != http.StatusUnauthorized {
		t.Fatal(got.Status)
	}
	if got := w.ask(asked{original: "POST /", header: page}); got.StatusCode != http.StatusOK {
		t.Fatal("a form was lost although there were minutes left:", got.Status)
	}
}

// What strangers can have logged does not fill the log.
func TestComplaintsAreBounded(t *testing.T) {
	w := newWorld(t)
	var lines strings.Builder
	w.server.Logger = slog.New(slog.NewTextHandler(&lines, nil))
	for range 2 {
		for range 5 {
			w.ask(asked{header: map[string]string{"Menshen-Portal-Secret": "wrong"}})
			w.ask(asked{header: map[string]string{"X-Original-URI": "-"}})
		}
		w.set(func() { w.now = w.now.Add(10 * time.Second) })
	}
	for _, line := range []string{"a proxy did not prove a portal", "proxy misconfigured"} {
		if n := strings.Count(lines.String(), line); n != 2 {
			t.Errorf("%d times %q", n, line)
		}
	}
}
