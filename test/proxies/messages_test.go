package proxies

import (
	"net/http"
	"strings"
)

// splitsNothing holds that line ends in an address or a header make no new
// header, on the way in or back.
func splitsNothing(g *gate) {
	cookie, _ := g.signedIn("/")
	for _, target := range []string{"/a%0d%0aSet-Cookie:%20evil=1", "/a?%0d%0aLocation:%20https://evil.example", "/a%0aX-Evil:1", "/.menshen/start?rd=%0d%0aX-Evil:%201", "/.menshen/start?rd=/a%0d%0aX-Evil:%201",
		"/a%e5%98%8a%e5%98%8dX-Evil:1"} {
		for _, sent := range [][]string{page, with(page, []string{"Cookie", cookie})} {
			got := g.send("GET", target, "", sent...)
			if got.header.Get("X-Evil") != "" || strings.Contains(strings.Join(got.header.Values("Set-Cookie"), ""), "evil") || strings.HasPrefix(got.header.Get("Location"), "https://evil") {
				g.t.Errorf("%q: %d %v", target, got.status, got.header)
			}
		}
	}
	g.reached()
	for name, lines := range map[string]string{
		"carriage return in a value": "X-A: b\rMenshen-Subject: forged\r\n",
		"bare line feed":             "X-A: b\nMenshen-Subject: forged\n",
		"folded":                     "X-A: b\r\n Menshen-Subject: forged\r\n",
		"folded ours":                "Menshen-Subject:\r\n forged\r\n",
		"space before the colon":     "Menshen-Subject : forged\r\n",
		"tab before the colon":       "Menshen-Subject\t: forged\r\n",
		"space before the name":      " Menshen-Subject: forged\r\n",
		"no colon":                   "Menshen-Subject\r\n",
		"no name":                    ": forged\r\n",
		"zero in a value":            "X-A: b\x00\r\nMenshen-Subject: forged\r\n",
		"zero in a name":             "Menshen-Subject\x00: forged\r\n",
		"two hosts":                  "Host: forged.example\r\n",
		"our cookie's name twice":    "cookie: __Host-menshen-session=forged\r\n",
	} {
		got := g.raw("GET /x HTTP/1.1\r\nHost: " + host + "\r\nCookie: " + cookie + "\r\n" + lines + "Connection: close\r\n\r\n")
		for _, a := range g.reached() {
			if values := a.header.Values("Menshen-Subject"); a.uri != "/x" || a.host != host || len(values) != 1 || values[0] != "per-1" {
				g.t.Errorf("%s: %d, and %s %q of %q arrived with %v", name, got.status, a.method, a.uri, a.host, a.header)
			}
		}
	}
}

// smugglesNothing sends requests whose ends two readers see at different
// places (RFC 9112, 6.3 and 11.2). The second request has no session.
func smugglesNothing(g *gate) {
	cookie, _ := g.signedIn("/")
	inner := "GET /smuggled HTTP/1.1\r\nHost: " + host + "\r\nMenshen-Subject: forged\r\n\r\n"
	begin := "POST /x HTTP/1.1\r\nHost: " + host + "\r\nCookie: " + cookie + "\r\n"
	for name, text := range map[string]string{
		"length and chunks":        begin + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner,
		"chunks and length":        begin + "Transfer-Encoding: chunked\r\nContent-Length: 200\r\n\r\n0\r\n\r\n" + inner,
		"space before the colon":   begin + "Content-Length: 4\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + inner,
		"unknown coding":           begin + "Content-Length: 4\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + inner,
		"two codings":              begin + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + inner,
		"two lines":                begin + "Content-Length: 4\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner,
		"vertical tab":             begin + "Content-Length: 4\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + inner,
		"folded":                   begin + "Content-Length: 4\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + inner,
		"underscore":               begin + "Content-Length: 4\r\nTransfer_Encoding: chunked\r\n\r\n0\r\n\r\n" + inner,
		"two lengths":              begin + "Content-Length: 0\r\nContent-Length: 4\r\n\r\n" + inner,
		"list of lengths":          begin + "Content-Length: 0, 4\r\n\r\n" + inner,
		"length with a sign":       begin + "Content-Length: +0\r\n\r\n" + inner,
		"length in hexadecimal":    begin + "Content-Length: 0x0\r\n\r\n" + inner,
		"negative length":          begin + "Content-Length: -1\r\n\r\n" + inner,
		"chunk's size with a sign": begin + "Transfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n" + inner,
		"chunk's size too large":   begin + "Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\na\r\n0\r\n\r\n" + inner,
		"chunk's end by line feed": begin + "Transfer-Encoding: chunked\r\n\r\n1;\na\r\n0\r\n\r\n" + inner,
		"chunk's extension":        begin + "Transfer-Encoding: chunked\r\n\r\n1;a=\"\r\n\"\r\na\r\n0\r\n\r\n" + inner,
		"a body of a GET":          strings.Replace(begin, "POST", "GET", 1) + "Content-Length: 0\r\n\r\n" + inner,
		"a chunked GET":            strings.Replace(begin, "POST", "GET", 1) + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner,
		"HTTP/1.0 with chunks":     strings.Replace(begin, "HTTP/1.1", "HTTP/1.0", 1) + "Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n0\r\n\r\n" + inner,
		"HTTP/0.9":                 "GET /smuggled\r\n" + inner,
		"an upgrade and a body":    strings.Replace(begin, "POST", "GET", 1) + "Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n" + inner,
		"expect":                   begin + "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n" + inner,
		"a CONNECT":                "CONNECT " + host + ":443 HTTP/1.1\r\nHost: " + host + "\r\nCookie: " + cookie + "\r\n\r\n" + inner,
		"a TRACE":                  "TRACE /smuggled HTTP/1.1\r\nHost: " + host + "\r\n\r\n" + inner,
	} {
		got := g.raw(text)
		// Whoever comes next gets an answer of its own.
		if next := g.send("GET", "/next", "", "Cookie", cookie); next.status != http.StatusOK || next.text != "application /next" {
			g.t.Errorf("%s: the next is answered %d %s", name, next.status, next.text)
		}
		for _, a := range g.reached() {
			if a.uri == "/smuggled" || a.header.Get("Menshen-Subject") != "per-1" || a.method == "CONNECT" {
				g.t.Errorf("%s: %d, and %s %q arrived with %v", name, got.status, a.method, a.uri, a.header)
			}
		}
	}
}
