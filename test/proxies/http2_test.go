package proxies

import (
	"net/http"
	"strings"
)

func speaksHTTP2(g *gate) {
	refused := g.send2("GET", "/deep%2Flink?a=b;c", "", "sec-fetch-mode", "navigate", "accept", "text/html")
	if refused.status != http.StatusSeeOther {
		g.t.Fatal(refused.status, refused.text)
	}
	pre := g.cookieOf(refused, "__Host-menshen-pre")
	code, _ := g.signIn(refused.header.Get("Location"))
	ended := g.send2("GET", "/.menshen/callback?code="+code, "", "cookie", pre, "sec-fetch-mode", "navigate")
	if back := ended.header.Get("Location"); ended.status != http.StatusSeeOther || !g.same(back, "/deep%2Flink?a=b;c") {
		g.t.Fatal(ended.status, back, ended.text)
	}
	cookie := g.cookieOf(ended, "__Host-menshen-session")
	// Each cookie may come in a field of its own (RFC 9113, 8.2.3).
	for _, sent := range [][]string{{"cookie", "a=1; " + cookie + "; b=2"}, {"cookie", "a=1", "cookie", cookie, "cookie", "b=2"}, {"cookie", cookie, "cookie", "a=1", "cookie", "b=2"}} {
		got := g.send2("GET", "/x", "", sent...)
		list := g.reached()
		if got.status != http.StatusOK || len(list) != 1 || strings.Join(list[0].header.Values("Cookie"), "; ") != "a=1; b=2" {
			g.t.Error(sent, got.status, list)
		}
	}
	long := "/a?" + strings.Repeat("q=%E4%BA%BA;", 700)
	for _, target := range []string{"/a%2Fb%252F?x=%23", "/a;b/", long} {
		got := g.send2("GET", target, "", "cookie", cookie)
		if list := g.reached(); got.status != http.StatusOK || len(list) != 1 || !g.same(list[0].uri, target) {
			g.t.Errorf("%.60q: %d %v", target, got.status, list)
		}
	}
	got := g.send2("POST", "/save", "amount=100", "cookie", cookie)
	if list := g.reached(); got.status != http.StatusOK || len(list) != 1 || list[0].body != "amount=100" || list[0].host != host {
		g.t.Error(got.status, list)
	}
	if api := g.send2("POST", "/api", "amount=100", "sec-fetch-mode", "cors"); api.status != http.StatusUnauthorized || !strings.Contains(api.text, `"sign_in":"`) || len(g.reached()) != 0 {
		g.t.Error(api.status, api.text)
	}
	g.decide(g.readsOnly)
	if api := g.send2("POST", "/api", "amount=100", "cookie", cookie, "sec-fetch-mode", "cors"); api.status != http.StatusForbidden || len(g.reached()) != 0 {
		g.t.Error(api.status, api.text)
	}
}

// What HTTP/2 can say and HTTP/1.1 cannot does not become something else on
// the way (RFC 9113, 8.2.1, 8.3, 10.3).
func noBackDoorHTTP2(g *gate) {
	cookie, _ := g.signedIn("/")
	g.decide(g.readsOnly) // what is taken for a read passes, what writes may not
	get := []string{":method", "GET", ":scheme", "https", ":authority", host, ":path", "/x", "cookie", cookie}
	post := []string{":method", "POST", ":scheme", "https", ":authority", host, ":path", "/x", "cookie", cookie}
	for name, fields := range map[string][]string{
		"line feed in a value":         with(get, []string{"x-a", "b\r\nMenshen-Subject: forged"}),
		"bare line feed":               with(get, []string{"x-a", "b\nMenshen-Subject: forged"}),
		"carriage return":              with(get, []string{"x-a", "b\rMenshen-Subject: forged"}),
		"line feed in a name":          with(get, []string{"x-a: b\r\nmenshen-subject", "forged"}),
		"colon in a name":              with(get, []string{"menshen-subject: forged", "x"}),
		"space in a name":              with(get, []string{"menshen-subject ", "forged"}),
		"upper case":                   with(get, []string{"Menshen-Subject", "forged"}),
		"line feed in the path":        {":method", "GET", ":scheme", "https", ":authority", host, ":path", "/x HTTP/1.1\r\nMenshen-Subject: forged\r\nX: ", "cookie", cookie},
		"space in the path":            {":method", "GET", ":scheme", "https", ":authority", host, ":path", "/x HTTP/1.1", "cookie", cookie},
		"space in the method":          {":method", "GET /y HTTP/1.1\r\nX: ", ":scheme", "https", ":authority", host, ":path", "/x", "cookie", cookie},
		"two methods":                  with([]string{":method", "POST"}, get),
		"two paths":                    with([]string{":path", "/y"}, get),
		"path after fields":            {":method", "GET", ":scheme", "https", ":authority", host, "cookie", cookie, ":path", "/x"},
		"no path":                      {":method", "GET", ":scheme", "https", ":authority", host, "cookie", cookie},
		"path of a star":               {":method", "GET", ":scheme", "https", ":authority", host, ":path", "*", "cookie", cookie},
		"path without a slash":         {":method", "GET", ":scheme", "https", ":authority", host, ":path", "x", "cookie", cookie},
		"another host":                 with(get, []string{"host", "evil.example"}),
		"line feed in the host":        {":method", "GET", ":scheme", "https", ":authority", host + "\r\nMenshen-Subject: forged", ":path", "/x", "cookie", cookie},
		"transfer-encoding":            with(post, []string{"transfer-encoding", "chunked"}),
		"connection":                   with(get, []string{"connection", "menshen-subject"}),
		"upgrade":                      with(get, []string{"connection", "upgrade", "upgrade", "websocket"}),
		"a tunnel":                     {":method", "CONNECT", ":authority", host + ":443", "cookie", cookie},
		"a WebSocket (RFC 8441)":       {":method", "CONNECT", ":protocol", "websocket", ":scheme", "https", ":authority", host, ":path", "/x", "sec-websocket-version", "13", "cookie", cookie},
		"a tunnel within (RFC 8441)":   {":method", "CONNECT", ":protocol", "connect-udp", ":scheme", "https", ":authority", host, ":path", "/x", "cookie", cookie},
		"length of more than there is": with(post, []string{"content-length", "400"}),
		"length of nothing":            with(post, []string{"content-length", "0"}),
	} {
		body := ""
		if fields[1] == "POST" {
			body = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: " + host + "\r\n\r\n"
		}
		got := g.fields2(body, fields...)
		for _, a := range g.reached() {
			if a.method != "GET" || a.host != host || a.uri != "/x" && a.uri != "/" && a.uri != "*" && (!g.proxy.rewrites || a.uri != "/x%20HTTP/1.1") || a.header.Get("Upgrade") != "" || a.header.Get("Menshen-Subject") != "per-1" {
				g.t.Errorf("%s: %s %q of %q reached the application: %v", name, a.method, a.uri, a.host, a.header)
			}
		}
		if got.status == http.StatusOK && fields[1] != "GET" {
			g.t.Errorf("%s: %d %s", name, got.status, got.text)
		}
	}
	if got := g.send2("GET", "/after", "", "cookie", cookie); got.status != http.StatusOK || got.text != "application /after" {
		g.t.Error(got.status, got.text)
	}
}
