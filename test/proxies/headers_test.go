package proxies

import (
	"net/http"
	"strings"
)

// spellings of a header's name that some application takes for it: gateways to
// CGI and WSGI write all but letters and digits as one sign.
func spellings(name string) []string {
	return []string{name, strings.ToLower(name), strings.ToUpper(name), strings.ReplaceAll(name, "-", "_"), strings.ReplaceAll(strings.ToUpper(name), "-", "_"),
		strings.ReplaceAll(strings.ToLower(name), "-", "."), strings.ReplaceAll(name, "-", "~")}
}

// overrides are headers that some application takes for the method, the
// address or the client.
var overrides = []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Original-HTTP-Method", "X-Original-Method", "X-Original-URI", "X-Original-Upgrade", "X-Original-URL",
	"X-Rewrite-URL", "X-Script-Name", "X-Forwarded-Prefix", "X-Forwarded-Path", "X-Forwarded-Method", "X-Forwarded-Uri", "Forwarded", "Menshen-Reason", "Menshen-Portal-Secret", "Menshen-Connection", "X-Menshen-Connection"}

func forgeries() []string {
	var list []string
	for _, name := range with(identityHeaders, overrides) {
		for _, spelt := range spellings(name) {
			list = append(list, spelt, "forged")
		}
	}
	return list
}

// arrivedClean holds that nothing of the client's forgeries arrived and all of
// the PDP's words did.
func (g *gate) arrivedClean(how string) {
	g.t.Helper()
	list := g.reached()
	if len(list) != 1 {
		g.t.Errorf("%s: reached %d", how, len(list))
		return
	}
	h := list[0].header
	for name, values := range h {
		if strings.Contains(strings.Join(values, " "), "forged") {
			g.t.Errorf("%s: %s arrived: %q", how, name, values)
		}
	}
	// What Connection names is thrown away by whoever comes next.
	if tokens := strings.ToLower(strings.Join(h.Values("Connection"), ", ")); strings.Trim(strings.NewReplacer("keep-alive", "", "close", "", "upgrade", "").Replace(tokens), ", ") != "" {
		g.t.Errorf("%s: Connection arrived as %q", how, tokens)
	}
	for _, name := range identityHeaders {
		if values := h.Values(name); len(values) != 1 || values[0] == "" {
			g.t.Errorf("%s: %s arrived as %q", how, name, values)
		}
	}
}

func letsNoHeaderIn(g *gate) {
	cookie, _ := g.signedIn("/")
	g.front.take()
	forged := forgeries()
	// In portions, as proxies bound how many headers a request may have.
	for len(forged) > 0 {
		part := forged[:min(len(forged), 2*40)]
		forged = forged[len(part):]
		for how, got := range map[string]func() answer{
			"once": func() answer { return g.send("GET", "/", "", with([]string{"Cookie", cookie}, part)...) },
			"twice": func() answer {
				return g.send("GET", "/", "", with([]string{"Cookie", cookie}, part, part[:min(len(part), 40)])...)
			},
			"HTTP/2": func() answer {
				return g.send2("GET", "/", "", with([]string{"cookie", cookie}, lowered(part))...)
			},
		} {
			if a := got(); a.status != http.StatusOK {
				g.t.Fatal(how, a.status, a.text)
			}
			g.arrivedClean(how + " " + part[0])
		}
		// Without a session the same headers open nothing.
		if got := g.send("GET", "/", "", with(page, part)...); got.status != http.StatusSeeOther || len(g.reached()) != 0 {
			g.t.Error(got.status)
		}
	}
	// A client cannot have ours thrown away as its own hop's (RFC 9110, 7.6.1).
	for _, name := range []string{"Connection", "Proxy-Connection", "Keep-Alive", "TE", "Trailer"} {
		got := g.raw("GET / HTTP/1.1\r\nHost: " + host + "\r\nCookie: " + cookie + "\r\n" + name + ": " + strings.Join(identityHeaders, ", ") + ", Cookie, X-Forwarded-For, X-Real-IP, Host\r\n\r\n")
		// Nor gains by having its own cookie thrown away.
		if refused := got.status == http.StatusBadRequest || got.status == http.StatusUnauthorized; refused && len(g.reached()) == 0 {
			continue
		}
		g.arrivedClean(name)
	}
	// Nor the question's own words.
	g.decide(g.readsOnly)
	if got := g.send("POST", "/", "", "Cookie", cookie, "Connection", "close, X-Original-Method, X-Forwarded-Method, X-Original-URI, X-Forwarded-Uri, Menshen-Portal-Secret, X-Real-IP, X-Forwarded-For"); got.status != http.StatusForbidden {
		g.t.Error(got.status, got.text)
	}
	// A trailer comes after the decision.
	g.decide(g.allow)
	got := g.raw("POST / HTTP/1.1\r\nHost: " + host + "\r\nCookie: " + cookie + "\r\nTransfer-Encoding: chunked\r\nTrailer: Menshen-Subject\r\nConnection: close\r\n\r\n1\r\na\r\n0\r\nMenshen-Subject: forged\r\n\r\n")
	if list := g.reached(); len(list) > 1 || (len(list) == 1 && list[0].header.Get("Menshen-Subject") != "per-1") {
		g.t.Error(got.status, list)
	}
}

func lowered(list []string) []string {
	out := make([]string, len(list))
	for i, text := range list {
		out[i] = text
		if i%2 == 0 {
			out[i] = strings.ToLower(text)
		}
	}
	return out
}

// Who the client is and what it asked for is the proxy's own observation.
func believesNoClient(g *gate) {
	cookie, _ := g.signedIn("/")
	g.front.take()
	got := g.send("GET", "/a?b", "", "Cookie", cookie, "X-Forwarded-For", "192.0.2.99", "x-forwarded-for", "192.0.2.98", "X-Real-IP", "192.0.2.99", "Forwarded", "for=192.0.2.99;host=evil.example",
		"X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "http", "X-Forwarded-Port", "1", "X-Forwarded-Server", "evil.example", "X-Forwarded-Uri", "/evil", "X-Forwarded-Method", "POST", "X-Original-URI", "/evil",
		"X_Real_IP", "192.0.2.99", "X_Forwarded_For", "192.0.2.99", "True-Client-IP", "192.0.2.99")
	if got.status != http.StatusOK {
		g.t.Fatal(got.status, got.text)
	}
	questions := g.front.peek()
	if len(questions) != 1 || questions[0] != (question{method: "GET", uri: "/a?b", client: "127.0.0.1"}) {
		g.t.Error("asked", questions)
	}
	list := g.reached()
	if len(list) != 1 {
		g.t.Fatal(len(list))
	}
	for name, want := range map[string]string{"X-Forwarded-For": "127.0.0.1", "X-Real-Ip": "127.0.0.1", "X-Forwarded-Host": host, "X-Forwarded-Proto": "https"} {
		if values := list[0].header.Values(name); len(values) != 1 || values[0] != want {
			g.t.Errorf("%s: %q", name, values)
		}
	}
	for name, values := range list[0].header {
		if text := strings.Join(values, " "); name != "True-Client-Ip" && (strings.Contains(text, "192.0.2.9") || strings.Contains(text, "evil")) {
			g.t.Errorf("%s arrived: %q", name, values)
		}
	}
}

func keepsCookies(g *gate) {
	cookie, _ := g.signedIn("/")
	pre := "__Host-menshen-pre=" + strings.Repeat("A", 43)
	for sent, want := range map[string]string{
		cookie:                                           "",
		cookie + "; a=1":                                 "a=1",
		"a=1; " + cookie:                                 "a=1",
		"a=1; " + cookie + "; b=2":                       "a=1; b=2",
		"a=1;" + cookie + ";b=2":                         "a=1; b=2",
		pre + "; " + cookie + "; a=1":                    "a=1",
		"a=1; " + pre + "; b=2; " + cookie:               "a=1; b=2",
		cookie + "; " + pre:                              "",
		cookie + "; a=x=y; q=\"z\"":                      "a=x=y; q=\"z\"",
		"a=1; " + strings.Repeat(cookie+"; ", 3) + "b=2": "a=1; b=2",
	} {
		got := g.send("GET", "/", "", "Cookie", sent)
		list := g.reached()
		if got.status != http.StatusOK || len(list) != 1 {
			g.t.Errorf("%q: %d", sent, got.status)
			continue
		}
		if arrived := strings.Join(list[0].header.Values("Cookie"), "; "); strings.ReplaceAll(arrived, ";b", "; b") != want {
			g.t.Errorf("%q arrived as %q", sent, arrived)
		}
	}
	// However it is written, a session never arrives.
	for _, sent := range [][]string{
		{"a=1; " + strings.Repeat(cookie+"; ", 5) + "b=2"}, {cookie + "; not__Host-menshen-session=1"}, {cookie, cookie}, {"a=1", cookie, "b=2"}, {cookie + ", " + cookie}, {cookie + ";;;" + cookie},
		{"a=1;\t" + cookie}, {"a=\"; " + cookie + "; \""}, {" ; ;" + cookie + " ; "}, {strings.Replace(cookie, "=", " = ", 1), cookie},
	} {
		var header []string
		for _, line := range sent {
			header = append(header, "Cookie", line)
		}
		g.send("GET", "/", "", header...)
		for _, a := range g.reached() {
			if arrived := strings.Join(a.header.Values("Cookie"), "; "); strings.Contains(arrived, cookie[strings.Index(cookie, "=")+1:]) {
				g.t.Errorf("%q arrived as %q", sent, arrived)
			}
		}
	}
}
