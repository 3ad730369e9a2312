package proxies

import (
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

func signsIn(g *gate) {
	cookie, back := g.signedIn("/report?year=2026")
	if n := len(g.reached()); back != "/report?year=2026" || n != 0 {
		g.t.Fatal(back, n)
	}
	got := g.send("GET", back, "", "Cookie", cookie)
	if got.status != http.StatusOK || got.text != "application /report?year=2026" {
		g.t.Fatal(got.status, got.text)
	}
	list := g.reached()
	if len(list) != 1 {
		g.t.Fatal("reached:", len(list))
	}
	h := list[0].header
	for name, want := range map[string]string{"Menshen-Subject": "per-1", "Menshen-Account": "wang.xm", "Menshen-Agency": "moda", "Menshen-Device": "dev-1",
		"Menshen-Name": "%E7%8E%8B%E5%B0%8F%E6%98%8E", "Menshen-Access": "full", "X-Forwarded-Proto": "https", "X-Forwarded-Host": host} {
		if values := h.Values(name); len(values) != 1 || values[0] != want {
			g.t.Errorf("%s: %q", name, values)
		}
	}
	if strings.Count(h.Get("Menshen-Token"), ".") != 2 || h.Get("Menshen-Decision") == "" || list[0].host != host {
		g.t.Error(list[0].host, h)
	}
	for name, values := range h {
		if strings.Contains(strings.Join(values, " "), secret) {
			g.t.Errorf("%s tells the application the proxy's secret", name)
		}
	}
	// The application's own refusals are its own.
	for _, path := range []string{"/own-401", "/own-403"} {
		if got := g.send("GET", path, "", with([]string{"Cookie", cookie}, page)...); got.text != "the application's own" {
			g.t.Error(path, got.status, got.text)
		}
	}
	g.reached()
}

// The browser comes back to the very address that it asked for.
func returnsToTheVeryAddress(g *gate) {
	long := "/search?q=" + strings.Repeat("a%20b%2Fc&d=1;", 560)
	for _, target := range []string{
		"/a%2Fb", "/a%252Fb", "/a%5Cb?c=%5C", "/%E4%BA%BA%E4%BA%8B?%E5%B9%B4=1", "/a?b=//c", "/a?x=%0d%0aSet-Cookie:%20y=1", "/a?b=c%23d", "/a%23b", "/a;b=c/d?e", "/?", "/a?rd=%2Fb&h=1",
		"/a?b=c&b=d+e&f", "/a?b=%2e%2e%2f", "/a?%00=1", "/a'b(c)", long,
	} {
		if g.proxy.rewrites && len(target) > 1000 {
			target = strings.ReplaceAll(target, ";", "&") // written anew, it is too long to come back to
		}
		if _, back := g.signedIn(target); !g.same(back, target) {
			g.t.Errorf("%.60q leads back to %.60q", target, back)
		}
	}
	if len(long) < 7800 {
		g.t.Fatal("not a long address:", len(long))
	}
	for _, target := range []string{"//evil.example/", "/a//b", "/x/%2e%2e/a", "/a/./b/../c", "/" + strings.Repeat("x", wire.MaxReturnPath)} {
		got := g.send("GET", target, "", page...)
		if got.status >= 400 && got.status < 500 {
			continue // refused by the proxy, and nobody led anywhere
		}
		if got.status != http.StatusSeeOther {
			g.t.Errorf("%.60q: %d", target, got.status)
			continue
		}
		if _, handle := g.signIn(got.header.Get("Location")); handle.ReturnPath != "/" && (!g.proxy.tidies || wire.CheckReturnPath(handle.ReturnPath) != nil) {
			g.t.Errorf("%.60q leads back to %.60q", target, handle.ReturnPath)
		}
	}
	if n := len(g.reached()); n != 0 {
		g.t.Error("something reached the application:", n)
	}
}

// A decision that asks for a fresh touch of the key leads there and back.
func stepsUp(g *gate) {
	g.set(func() { g.touched = 10 * time.Minute })
	defer g.set(func() { g.touched = 0 })
	cookie, _ := g.signedIn("/")
	g.decide(g.stepUp)
	asked := g.send("GET", "/vault?deep=1", "", with([]string{"Cookie", cookie}, page)...)
	_, handle := g.signIn(asked.header.Get("Location"))
	if asked.status != http.StatusSeeOther || handle.ReturnPath != "/vault?deep=1" || handle.FreshAfter.IsZero() {
		g.t.Error(asked.status, handle)
	}
	api := g.send("GET", "/vault", "", with([]string{"Cookie", cookie}, script)...)
	if api.status != http.StatusUnauthorized || !strings.Contains(api.text, `"sign_in":"`+hr.Origin+`/.menshen/start?rd=%2Fform\u0026fresh=1"`) || !strings.Contains(api.text, reason.FreshKeyNeeded) {
		g.t.Error(api.status, api.text)
	}
	form := g.send("POST", "/vault", "amount=100", with([]string{"Cookie", cookie, "Referer", hr.Origin + "/form"}, page)...)
	if form.status != http.StatusUnauthorized || form.text != "fault ZT-SES-007 again=/.menshen/start?rd=%2Fform&fresh=1" {
		g.t.Error(form.status, form.text)
	}
	if n := len(g.reached()); n != 0 {
		g.t.Error("something reached the application:", n)
	}
}

func denies(g *gate) {
	cookie, _ := g.signedIn("/")
	g.decide(g.deny)
	denied := g.send("GET", "/report?x=1", "", with([]string{"Cookie", cookie}, page)...)
	id := denied.header.Get("Menshen-Decision")
	if denied.status != http.StatusForbidden || denied.text != "denied "+id+" ZT-DEV-012 return=/report?x=1 read=false" || wire.CheckID(wire.PrefixDecision, id) != nil {
		g.t.Error(denied.status, denied.text)
	}
	if kind := denied.header.Get("Content-Type"); kind != "text/html; charset=utf-8" || denied.header.Get("Cache-Control") != "no-store" {
		g.t.Error(kind, denied.header)
	}
	api := g.send("GET", "/api", "", with([]string{"Cookie", cookie}, script)...)
	if api.status != http.StatusForbidden || api.header.Get("Content-Type") != "application/problem+json" || !strings.Contains(api.text, `"decision":"`+api.header.Get("Menshen-Decision")+`"`) || !utf8.ValidString(api.text) {
		g.t.Error(api.status, api.text)
	}
	if denied.header.Get("Menshen-Token") != "" || api.header.Get("Menshen-Subject") != "" {
		g.t.Error("the browser is told what is the application's")
	}
	if n := len(g.reached()); n != 0 {
		g.t.Error("something reached the application:", n)
	}
}

// Reading is one thing, all else is writing, and what is said of the method in
// a header counts for nothing.
func gradesTheMethod(g *gate) {
	cookie, _ := g.signedIn("/")
	g.decide(g.readsOnly)
	for method, want := range map[string]int{"GET": 200, "HEAD": 200, "POST": 403, "PUT": 403, "PATCH": 403, "DELETE": 403, "OPTIONS": 403, "PROPFIND": 403} {
		got := g.send(method, "/", "", "Cookie", cookie, "X-HTTP-Method-Override", "GET", "X-Original-Method", "GET", "X-Forwarded-Method", "GET")
		if got.status != want {
			g.t.Errorf("%s: %d", method, got.status)
		}
		for _, a := range g.reached() {
			if a.method != "GET" && a.method != "HEAD" {
				g.t.Errorf("%s reached the application", a.method)
			}
		}
	}
	denied := g.send("POST", "/save", "", with([]string{"Cookie", cookie, "Referer", hr.Origin + "/form"}, page)...)
	if denied.status != http.StatusForbidden || !strings.HasSuffix(denied.text, "return=/form read=true") {
		g.t.Error(denied.status, denied.text)
	}
	if n := len(g.reached()); n != 0 {
		g.t.Error("something reached the application:", n)
	}
}

// What changes something is never repeated for anybody, and its body goes
// nowhere before it is allowed.
func replaysNothing(g *gate) {
	body := strings.Repeat("amount=100&", 20000)
	form := g.send("POST", "/save?id=7", "amount=100", with([]string{"Content-Type", "application/x-www-form-urlencoded", "Referer", hr.Origin + "/form"}, page)...)
	if form.status != http.StatusUnauthorized || form.text != "fault ZT-SES-007 again=/.menshen/start?rd=%2Fform" || form.header.Get("Location") != "" {
		g.t.Error(form.status, form.text)
	}
	api := g.send("POST", "/api", `{"amount":100}`, script...)
	if api.status != http.StatusUnauthorized || api.header.Get("Content-Type") != "application/problem+json" ||
		!strings.Contains(api.text, `"sign_in":"https://hr.example.gov.tw/.menshen/start?rd=%2Fform"`) {
		g.t.Error(api.status, api.text)
	}
	cookie, _ := g.signedIn("/form")
	if n := len(g.reached()); n != 0 {
		g.t.Errorf("%d requests reached the application", n)
	}
	// Once signed in, a body arrives whole, in one piece or in chunks.
	if sent := g.send("POST", "/save", body, "Cookie", cookie); sent.status != http.StatusOK {
		g.t.Error(sent.status)
	}
	g.raw("POST /save HTTP/1.1\r\nHost: " + host + "\r\nCookie: " + cookie + "\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n7\r\namount=\r\n3\r\n100\r\n0\r\n\r\n")
	list := g.reached()
	if len(list) != 2 || list[0].method != "POST" || list[0].body != body || list[1].body != "amount=100" {
		g.t.Error("reached:", len(list))
	}
}

// A session that has ended opens nothing: neither to a script, which is told
// where to sign in, nor to a form, which is not sent.
func endsWithTheSession(g *gate) {
	cookie, _ := g.signedIn("/")
	if got := g.send("GET", "/", "", "Cookie", cookie); got.status != http.StatusOK {
		g.t.Fatal(got.status)
	}
	g.reached()
	g.set(func() { g.now += 16 * time.Minute })
	defer g.set(func() { g.now -= 16 * time.Minute })
	api := g.send("GET", "/api", "", with([]string{"Cookie", cookie}, script)...)
	if api.status != http.StatusUnauthorized || !strings.Contains(api.text, `"sign_in":"https://hr.example.gov.tw/.menshen/start?rd=%2Fform"`) || !strings.Contains(api.text, reason.SessionIdle) {
		g.t.Error(api.status, api.text)
	}
	form := g.send("POST", "/save", "amount=100", with([]string{"Cookie", cookie, "Referer", hr.Origin + "/form"}, page)...)
	if form.status != http.StatusUnauthorized || form.text != "fault ZT-SES-007 again=/.menshen/start?rd=%2Fform" {
		g.t.Error(form.status, form.text)
	}
	if document := g.send("GET", "/report", "", with([]string{"Cookie", cookie}, page)...); document.status != http.StatusSeeOther {
		g.t.Error(document.status, document.text)
	}
	if n := len(g.reached()); n != 0 {
		g.t.Error("something reached the application:", n)
	}
}

func signsOutAndChecks(g *gate) {
	cookie, _ := g.signedIn("/")
	own := []string{"Cookie", cookie, "Origin", hr.Origin, "Sec-Fetch-Site", "same-origin", "Content-Type", "application/json"}
	if got := g.send("POST", "/.menshen/check", "{}", own...); got.status != http.StatusOK {
		g.t.Fatal(got.status, got.text)
	}
	if got := g.send("GET", "/.menshen/check/cmd-1", "", "Cookie", cookie); got.status != http.StatusOK || !strings.Contains(got.text, `"stage":"sent"`) {
		g.t.Fatal(got.status, got.text)
	}
	if got := g.send("GET", "/.menshen/assets/abc/page.js", ""); got.text != "asset /abc/page.js" {
		g.t.Error(got.status)
	}
	if got := g.send("POST", "/.menshen/sign-out", "", "Cookie", cookie, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"); got.status != http.StatusForbidden {
		g.t.Fatal(got.status)
	}
	if got := g.send("POST", "/.menshen/sign-out", "", own...); got.status != http.StatusSeeOther {
		g.t.Fatal(got.status, got.text)
	}
	if got := g.send("GET", "/", "", with([]string{"Cookie", cookie}, page)...); got.status != http.StatusSeeOther {
		g.t.Fatal("still signed in:", got.status)
	}
	if got := g.send("POST", "/.menshen/check", strings.Repeat(" ", 20<<10), own...); got.status != http.StatusRequestEntityTooLarge {
		g.t.Error(got.status)
	}
}

// A server of the portal's own calls the portal in a person's name, by the
// token that the application was given, for as long as the session lives.
func takesTokens(g *gate) {
	before := map[string]bool{}
	for _, other := range g.sessions.Sessions("per-1") {
		before[other.ID] = true
	}
	cookie, _ := g.signedIn("/")
	g.send("GET", "/", "", "Cookie", cookie)
	token := g.reached()[0].header.Get("Menshen-Token")
	got := g.send("GET", "/api", "", "Authorization", "Bearer "+token)
	list := g.reached()
	if got.status != http.StatusOK || len(list) != 1 || list[0].header.Get("Menshen-Subject") != "per-1" {
		g.t.Fatal(got.status, got.text)
	}
	forged := token[:len(token)-8] + strings.Repeat("A", 8)
	for name, header := range map[string][]string{
		"forged":          {"Authorization", "Bearer " + forged},
		"beside a cookie": {"Authorization", "Bearer " + token, "Cookie", cookie},
		"twice":           {"Authorization", "Bearer " + token, "Authorization", "Bearer " + token},
		"as another kind": {"Authorization", "Basic " + token},
	} {
		if got := g.send("GET", "/api", "", header...); got.status == http.StatusOK || len(g.take()) != 0 {
			g.t.Errorf("a token %s: %d", name, got.status)
		}
	}
	g.take()
	g.front.take()
	for _, own := range g.sessions.Sessions("per-1") {
		if !before[own.ID] {
			check(g.t, g.sessions.Revoke(g.t.Context(), own.ID))
		}
	}
	if got := g.send("GET", "/api", "", "Authorization", "Bearer "+token); got.status == http.StatusOK || len(g.take()) != 0 {
		g.t.Error("a token outlives its session:", got.status)
	}
}
