package decision

import (
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Whatever the header holds, what comes out is a value that this package could
// have made, and it stands in the header under this very name.
func FuzzCookie(f *testing.F) {
	value := strings.Repeat("aZ0-_", 9)[:cookieSize]
	for _, seed := range []string{"", cookieSession + "=" + value, "a=1; " + cookieSession + "=" + value + "; b", cookieSession + "=short", "x" + cookieSession + "=" + value,
		cookieSession + "=\"" + value + "\"", ";;=;" + cookieSession, cookieSession + "==" + value} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		got := cookie([]string{line}, cookieSession)
		if got == "" {
			return
		}
		if len(got) != cookieSize || !base64URL(got) || !strings.Contains(";"+strings.ReplaceAll(line, " ", ""), ";"+cookieSession+"="+got) {
			t.Fatalf("%q out of %q", got, line)
		}
	})
}

// A name fits a header whatever it holds, and comes out again whole.
func FuzzPercentEncode(f *testing.F) {
	for _, seed := range []string{"", "Wang", "\u738b\u5c0f\u660e", "a b", "100%", "x\r\nMenshen-Subject: root", "\x00\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		text := percentEncode(name)
		for i := range len(text) {
			if text[i] <= ' ' || text[i] > '~' {
				t.Fatalf("%q", text)
			}
		}
		if back, err := url.PathUnescape(text); err != nil || back != name {
			t.Fatalf("%q came back as %q: %v", name, back, err)
		}
	})
}

// A request of any shape is read without a panic, and graded read only if it
// is a plain GET or HEAD.
func FuzzRead(f *testing.F) {
	f.Add("GET", "/", "192.0.2.1", "", "navigate", "text/html")
	f.Add("POST", "//x", "::1%eth0", "websocket", "", "")
	f.Add("get", "\x00", "::ffff:192.0.2.1", "", "cors", "*/*")
	f.Fuzz(func(t *testing.T, method, uri, ip, upgrade, mode, accept string) {
		h := http.Header{headerMethod: {method}, headerURI: {uri}, headerClientIP: {ip}, "Sec-Fetch-Mode": {mode}, "Accept": {accept}}
		if upgrade != "" {
			h[headerUpgrade] = []string{upgrade}
		}
		q, malformed := new(Server).read(&http.Request{Header: h}, &Portal{routes: NewRoutes(nil)}, names{headerMethod, headerURI, headerClientIP, ""})
		if malformed != "" {
			return
		}
		plain := (method == "GET" || method == "HEAD") && upgrade == ""
		if (q.Action == wire.ActionRead) != plain || (q.Navigation && method != "GET") || !q.Address.IsValid() {
			t.Fatalf("%+v", q)
		}
		if back := returnPath(q.uri); !strings.HasPrefix(back, "/") || strings.HasPrefix(back, "//") {
			t.Fatalf("leads back to %q", back)
		}
	})
}

// However a path is written, it is graded no lower than by any route that it
// leads to in the reading of a server that decodes once and cleans up.
func FuzzRoutes(f *testing.F) {
	for _, seed := range []string{"/payroll", "/public/../payroll", "/public%2f..%2fpayroll", "/%70ayroll;x/1", "//payroll", `/\payroll`, "/PAYROLL.", "/p%2561yroll", "/\u212a"} {
		f.Add(seed)
	}
	routes := NewRoutes([]wire.Route{{Path: "/payroll", Action: wire.ActionAdmin}, {Path: "/public", Action: wire.ActionRead}})
	f.Fuzz(func(t *testing.T, target string) {
		got := routes.Read("GET", target, false)
		raw, _, _ := strings.Cut(target, "?")
		read, err := url.PathUnescape(raw)
		if err != nil || !strings.HasPrefix(read, "/") {
			return
		}
		if clean := strings.ToLower(path.Clean(read)); (clean == "/payroll" || strings.HasPrefix(clean, "/payroll/")) && got.Action != wire.ActionAdmin {
			t.Fatalf("%q leads to %q and is graded %q", target, clean, got.Action)
		}
	})
}
