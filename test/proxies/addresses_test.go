package proxies

import (
	"net/http"
	"strings"
)

// What is asked about is what arrives, byte for byte: a proxy that tidies an
// address up for one of the two lets through what was decided for another.
func asksAboutWhatArrives(g *gate) {
	cookie, _ := g.signedIn("/")
	long := "/a?" + strings.Repeat("q=%E4%BA%BA;", 700)
	for _, target := range []string{
		"/a%2Fb", "/a%252Fb%2f", "/a%5Cb", "/%61dmin", "/a?b=//c/../d", "/a?b=%2e%2e%2f", "/a%23b?c=%23", "/a;b=c/d;e", "/?", "/a??b", "/a?b?c", "/a+b%20c", "/%E4%BA%BA?%e4%ba%ba",
		"/a?x=%0d%0aX:%20y", "/a?%00", "/a:b@c", "/a&b=c,d", "/a'b", "/a(b)*!$", "/~a_-.b", "/a?b=[c]&d={e}", "/a%3Fb", "/a%25", long,
	} {
		got := g.send("GET", target, "", "Cookie", cookie)
		list := g.reached()
		if got.status != http.StatusOK || len(list) != 1 || !g.same(list[0].uri, target) {
			g.t.Errorf("%.80q: %d, %.200v", target, got.status, list)
		}
	}
	// These a proxy may refuse; if it doesn't, they arrive as they were sent,
	// or at least as they were asked about (reached holds that).
	for _, target := range []string{
		"/a/../b", "/a/./b", "/../a", "/a/..", "/a/%2e%2e/b", "/a/%2E./b", "/a/..%2fb", "/a/..;/b", "//a", "/a//b", "///", "/a#b", "/a?b#c", "/#/../admin", `/a\b`, `/a\..\b`, "/a%00b", "/a%0d%0ab",
		"/a|b", "/a^b`c", "/a\"b", "/a<b>", "/a%zz", "/a%", "/a%u002fb", "/a\x7f", "/\xc0\xae\xc0\xae/a", "/a?\xff", "*", "a", "https://" + host + "/abs?x", "http://evil.example/abs", "/a b",
	} {
		got := g.raw("GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\nCookie: " + cookie + "\r\nConnection: close\r\n\r\n")
		list := g.reached()
		switch {
		case len(list) == 0 && got.status != http.StatusOK:
		case len(list) == 1 && list[0].host == host && (g.proxy.tidies || list[0].uri == target || "https://"+host+list[0].uri == target):
		default:
			g.t.Errorf("%.80q: %d, %.200v", target, got.status, list)
		}
	}
	// Without a session none of it opens anything.
	for _, target := range []string{"/a/../.menshen/assets/x", "/.menshen/..%2fa", "/.menshen/../a", "/.menshen/%2e%2e/a", "/.menshen/..;/a", "/.menshen//../a", `/.menshen/..\a`, "/.menshen", "/%2emenshen/../a"} {
		g.raw("GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n")
		if list := g.reached(); len(list) != 0 {
			g.t.Errorf("%q reached the application as %q", target, list[0].uri)
		}
	}
}

// A proxy answers for the portal's own host and for no other name.
func answersForItsHost(g *gate) {
	cookie, _ := g.signedIn("/")
	for _, other := range []string{"evil.example", "", host + ".evil.example", "evil.example#" + host, host + "@evil.example", host + ":1", "127.0.0.1", host + ", evil.example", "HR.example.gov.tw", host + "."} {
		for name, send := range map[string]func() answer{
			"HTTP/1.1": func() answer {
				return g.raw("GET /x HTTP/1.1\r\nHost: " + other + "\r\nCookie: " + cookie + "\r\nConnection: close\r\n\r\n")
			},
			"HTTP/2": func() answer {
				return g.fields2("", ":method", "GET", ":scheme", "https", ":authority", other, ":path", "/x", "cookie", cookie)
			},
		} {
			got := send()
			for _, a := range g.reached() {
				if forwarded := a.header.Values("X-Forwarded-Host"); !strings.EqualFold(a.host, host) || len(forwarded) != 1 || !strings.EqualFold(forwarded[0], host) {
					g.t.Errorf("%s, %q: %d, and it arrived for %q, %q", name, other, got.status, a.host, forwarded)
				}
			}
			if location := got.header.Get("Location"); strings.Contains(location, "evil") {
				g.t.Errorf("%s, %q leads to %s", name, other, location)
			}
		}
	}
}

// /.menshen/ is the PDP's and nothing else is; the question is the proxy's own
// to ask.
func passesThePDPsOwn(g *gate) {
	cookie, _ := g.signedIn("/")
	g.front.take()
	forged := []string{"Cookie", cookie, "Menshen-Portal-Secret", secret, "X-Original-Method", "GET", "X-Original-URI", "/", "X-Real-IP", "127.0.0.1", "Accept", "application/json"}
	for _, target := range []string{
		"/forward-auth", "/.menshen/auth", "/.menshen/forward-auth", "/.menshen/../forward-auth", "/.menshen/%2e%2e/forward-auth", "/.menshen/..%2fforward-auth", "/.menshen/x/../../forward-auth",
		"//forward-auth", "/.menshen/unavailable.html", "/.menshen/unavailable.json", "/menshen/auth", "/.menshen",
	} {
		got := g.send("GET", target, "", forged...)
		if got.header.Get("Menshen-Token") != "" || strings.Contains(got.text, secret) {
			g.t.Errorf("%s: %d %v", target, got.status, got.header)
		}
		arrived := g.take() // what is no address of the PDP's is the application's
		if got.status == http.StatusOK && len(arrived) == 0 {
			g.t.Errorf("%s is answered %s", target, got.text)
		}
		for _, q := range g.front.take() {
			if q.uri != target && !g.proxy.tidies {
				g.t.Errorf("%s asked about %q", target, q.uri)
			}
		}
	}
	if got := g.send("GET", "/.menshen/nothing", ""); got.status != http.StatusNotFound || len(g.take()) != 0 {
		g.t.Error(got.status)
	}
	if others := g.front.paths(); len(others) != 1 || others[0] != "/.menshen/nothing" {
		g.t.Error("the PDP was asked for", others)
	}
}

// Questions go over connections that are kept: a handshake for each would cost
// more than the answer.
func keepsItsConnections(g *gate) {
	cookie, _ := g.signedIn("/")
	before := g.front.opened.Load()
	for range 24 {
		if got := g.send("GET", "/", "", "Cookie", cookie); got.status != http.StatusOK {
			g.t.Fatal(got.status)
		}
	}
	if n := g.front.opened.Load() - before; n > 8 {
		g.t.Errorf("%d connections for 24 questions", n)
	}
	// The PDP may close one at any time: nobody is to notice.
	g.front.server.CloseClientConnections()
	if got := g.send("GET", "/", "", "Cookie", cookie); got.status != http.StatusOK {
		g.t.Error("after the PDP has closed what was kept:", got.status)
	}
	g.reached()
}
