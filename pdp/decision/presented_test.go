package decision_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/session"
)

// backend is a world whose portal's own servers may present tokens.
func backend(t testing.TB) (w *world, cookie, token string) {
	t.Helper()
	w = newWorld(t)
	w.set(func() {
		w.tokenFrom = []string{"203.0.113.0/24", "2001:db8::/48"}
		w.routes = []wire.Route{{Path: "/payroll", Class: "payroll"}}
	})
	w.forgetPortals()
	cookie = w.enter()
	token = w.ask(asked{header: map[string]string{"Cookie": cookie, "Sec-Fetch-Mode": "cors"}}).Header.Get("Menshen-Token")
	if token == "" {
		t.Fatal("no token")
	}
	return w, cookie, token
}

// present asks as the portal's own server does.
func (w *world) present(original, token string, header map[string]string) *http.Response {
	w.t.Helper()
	all := map[string]string{"Authorization": "Bearer " + token, "X-Real-IP": "203.0.113.9"}
	for name, value := range header {
		all[name] = value
	}
	return w.ask(asked{original: original, header: all})
}

func wantAnswer(t *testing.T, what string, got *http.Response, status int, code string) {
	t.Helper()
	if got.StatusCode != status || got.Header.Get("Menshen-Reason") != code {
		t.Errorf("%s: %s %q, not %d %q", what, got.Status, got.Header.Get("Menshen-Reason"), status, code)
	}
	if status != http.StatusOK && (got.Header.Get("Menshen-Token") != "" || got.Header.Get("Menshen-Subject") != "") {
		t.Errorf("%s: an identity beside a refusal", what)
	}
}

func TestAPresentedTokenOpensWhatItsSessionMay(t *testing.T) {
	w, _, token := backend(t)
	for range 2 { // verified, then remembered
		got := w.present("GET /", token, nil)
		wantAnswer(t, "first", got, http.StatusOK, "")
		if got.Header.Get("Menshen-Subject") != "per-1" {
			t.Error(got.Header)
		}
	}
	wantAnswer(t, "IPv6", w.present("GET /", token, map[string]string{"X-Real-IP": "2001:db8::7"}), http.StatusOK, "")
	wantAnswer(t, "scheme in another case", w.present("GET /", "", map[string]string{"Authorization": "bearer " + token}), http.StatusOK, "")
	w.decide(func(s session.Subject, a wire.Action) (wire.Facts, wire.Decision) {
		if a != wire.ActionRead || s.Request.Class == "payroll" {
			return w.deny(s, a)
		}
		return w.allow(s, a)
	})
	wantAnswer(t, "read", w.present("GET /", token, nil), http.StatusOK, "")
	wantAnswer(t, "write", w.present("POST /", token, nil), http.StatusForbidden, "ZT-DEV-012")
	wantAnswer(t, "class", w.present("GET /payroll", token, nil), http.StatusForbidden, "ZT-DEV-012")
}

// A token opens nothing that its session does not open at that moment, however
// long it lasts and however well it is remembered.
func TestARevocationReachesPresentedTokens(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *world, cookie string)
		status int
		code   string
	}{
		"signed out": {func(w *world, cookie string) {
			w.ask(asked{method: http.MethodPost, path: "/.menshen/sign-out", header: own(cookie)})
		}, http.StatusUnauthorized, reason.SessionNone},
		"revoked": {func(w *world, _ string) {
			check(w.t, w.sessions.Revoke(w.t.Context(), w.sessions.Sessions("per-1")[0].ID))
		}, http.StatusUnauthorized, reason.SessionNone},
		"device": {func(w *world, _ string) {
			w.set(func() { w.engine = w.deny })
			w.sessions.DeviceChanged("dev-1")
		}, http.StatusForbidden, "ZT-DEV-012"},
		"expired": {func(w *world, cookie string) { w.pass(5*time.Minute, cookie) }, http.StatusUnauthorized, reason.TokenRefused},
		"key rotated away": {func(w *world, cookie string) {
			for range 2 {
				w.set(func() { w.now = w.now.Add(16 * time.Minute) })
				check(w.t, w.issuer.Rotate("moda"))
			}
			w.server.KeysChanged()
			w.set(func() { w.now = w.now.Add(-32 * time.Minute) })
		}, http.StatusUnauthorized, reason.TokenRefused},
	} {
		t.Run(name, func(t *testing.T) {
			w, cookie, token := backend(t)
			wantAnswer(t, "before", w.present("GET /", token, nil), http.StatusOK, "")
			c.change(w, cookie)
			wantAnswer(t, "after", w.present("GET /", token, nil), c.status, c.code)
		})
	}
}

// A key that is withdrawn while its token is being verified leaves nothing behind
// that is remembered: whoever has the key could present tokens until one falls
// into that moment.
func TestAKeyWithdrawnDuringVerification(t *testing.T) {
	w, _, token := backend(t)
	w.set(func() {
		w.verified = func() {
			check(t, w.issuer.Withdraw("moda"))
			w.server.KeysChanged()
		}
	})
	w.present("GET /", token, nil)
	w.set(func() { w.verified = nil })
	wantAnswer(t, "after", w.present("GET /", token, nil), http.StatusUnauthorized, reason.TokenRefused)
}

// Servers' use of a token keeps no session alive.
func TestPresentedTokensAreNoSignOfThePerson(t *testing.T) {
	w, cookie, token := backend(t)
	for range 4 {
		w.set(func() { w.now = w.now.Add(2 * time.Second) })
		wantAnswer(t, "the server", w.present("GET /", token, nil), http.StatusOK, "")
	}
	if seen := w.sessions.Sessions("per-1")[0].LastSeen; w.clock().Sub(seen) < 8*time.Second {
		t.Errorf("last seen %v ago", w.clock().Sub(seen))
	}
	wantAnswer(t, "the person", w.ask(asked{header: map[string]string{"Cookie": cookie}}), http.StatusOK, "")
}

func TestHowATokenMayNotBePresented(t *testing.T) {
	w, cookie, token := backend(t)
	refused := reason.TokenRefused
	for name, c := range map[string]struct {
		header map[string]string
		status int
		code   string
	}{
		"beside a cookie":              {map[string]string{"Cookie": cookie}, http.StatusForbidden, reason.TokenBesideOthers},
		"beside a cookie of odd shape": {map[string]string{"Cookie": "__Host-menshen-session=x"}, http.StatusForbidden, reason.TokenBesideOthers},
		"beside an application's":      {map[string]string{"Cookie": "a=b"}, http.StatusOK, ""},
		"from elsewhere":               {map[string]string{"X-Real-IP": "198.51.100.7"}, http.StatusUnauthorized, reason.SessionNone},
		"from the person's network":    {map[string]string{"X-Real-IP": "192.0.2.10"}, http.StatusUnauthorized, reason.SessionNone},
		"Basic":                        {map[string]string{"Authorization": "Basic " + token}, http.StatusUnauthorized, reason.SessionNone},
		"no scheme":                    {map[string]string{"Authorization": token}, http.StatusUnauthorized, reason.SessionNone},
		"DPoP scheme":                  {map[string]string{"Authorization": "DPoP " + token}, http.StatusUnauthorized, reason.SessionNone},
		"garbage":                      {map[string]string{"Authorization": "Bearer x"}, http.StatusUnauthorized, refused},
		"altered":                      {map[string]string{"Authorization": "Bearer " + token[:len(token)-4] + "AAAA"}, http.StatusUnauthorized, refused},
		"another portal's proxy":       {map[string]string{"Menshen-Portal-Secret": otherSecret}, http.StatusUnauthorized, refused},
	} {
		wantAnswer(t, name, w.present("GET /", token, c.header), c.status, c.code)
	}
	wantAnswer(t, "a cookie from there alone", w.ask(asked{header: map[string]string{"Cookie": cookie, "X-Real-IP": "203.0.113.9"}}), http.StatusUnauthorized, reason.NetworkUnproven)
	r := w.ask(asked{header: map[string]string{"Authorization": "Bearer " + token, "X-Real-IP": "203.0.113.9"}, twice: "Authorization"})
	wantAnswer(t, "twice", r, http.StatusForbidden, reason.TokenBesideOthers)
	// Pages are for browsers: a token opens none of them.
	if got := w.ask(asked{path: "/.menshen/denied", header: map[string]string{"Authorization": "Bearer " + token, "X-Real-IP": "203.0.113.9"}}); got.StatusCode == http.StatusOK || strings.Contains(body(t, got), "dec-") {
		t.Errorf("a page: %s", got.Status)
	}
	w.set(func() { w.tokenFrom = nil })
	w.forgetPortals()
	wantAnswer(t, "of a portal that names no networks", w.present("GET /", token, nil), http.StatusUnauthorized, reason.SessionNone)
	w.set(func() { w.tokenFrom = []string{"nowhere"} })
	w.forgetPortals()
	wantAnswer(t, "of a portal with an unreadable network", w.present("GET /", token, nil), http.StatusUnauthorized, reason.SessionNone)
}

// A token that is remembered costs no more allocations than a cookie.
func TestARememberedTokenCostsNoAllocation(t *testing.T) {
	w, _, token := backend(t)
	r := presenting(token)
	answer := bare{header: http.Header{}}
	once := func() {
		answer.status = 0
		w.server.ServeHTTP(&answer, r)
		if answer.status != http.StatusOK {
			t.Fatal(answer.status, answer.header)
		}
	}
	once()
	once()
	if n := testing.AllocsPerRun(500, once); n != 0 {
		t.Errorf("%v allocations a request", n)
	}
}

func presenting(token string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/forward-auth", nil)
	for name, value := range map[string]string{"Menshen-Portal-Secret": secret, "X-Original-Method": "GET", "X-Original-URI": "/records?page=2",
		"X-Real-IP": "203.0.113.9", "Authorization": "Bearer " + token} {
		r.Header.Set(name, value)
	}
	return r
}

// BenchmarkPresented is a token's first verification beside those that follow.
func BenchmarkPresented(b *testing.B) {
	w, _, token := backend(b)
	r := presenting(token)
	for name, forget := range map[string]bool{"first": true, "afterwards": false} {
		b.Run(name, func(b *testing.B) {
			answer := bare{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				if forget {
					w.server.KeysChanged()
				}
				w.server.ServeHTTP(&answer, r)
				if answer.status != http.StatusOK {
					b.Fatal(answer.status)
				}
			}
		})
	}
}
