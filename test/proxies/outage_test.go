package proxies

import (
	"bufio"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// closed holds that a request is answered as unavailable and gets no further.
func (g *gate) closed(what, method, target, cookie string, header ...string) answer {
	g.t.Helper()
	got := g.send(method, target, "", with([]string{"Cookie", cookie}, header)...)
	refused := got.status == http.StatusInternalServerError || got.status == http.StatusServiceUnavailable || g.proxy.pageless && got.status == http.StatusBadGateway
	if n := len(g.take()); n != 0 || !refused {
		g.t.Errorf("%s: %s %s: %d, reached %d: %.200s", what, method, target, got.status, n, got.text)
	}
	if got.header.Get("Location") != "" || got.header.Get("Set-Cookie") != "" {
		g.t.Errorf("%s: %v", what, got.header)
	}
	return got
}

func closedWithoutThePDP(g *gate) {
	cookie, _ := g.signedIn("/")
	g.front.close()
	for name, header := range map[string][]string{"page": page, "form": page, "script": script, "other": nil} {
		method := "GET"
		if name == "form" {
			method = "POST"
		}
		for _, target := range []string{"/", "/.menshen/start", "/.menshen/assets/x"} {
			got := g.closed(name, method, target, cookie, header...)
			if g.proxy.pageless {
				continue
			}
			if !strings.Contains(got.text, "ZT-SYS-002") || !strings.Contains(got.text, "\u5b58\u53d6\u670d\u52d9") || !strings.Contains(got.text, "Access service not available") {
				g.t.Errorf("%s %s: %d %s", name, target, got.status, got.text)
			}
			want := "text/html; charset=utf-8"
			if name == "script" {
				want = "application/problem+json"
			}
			if kind := got.header.Get("Content-Type"); !strings.EqualFold(kind, want) || got.header.Get("Cache-Control") != "no-store" {
				g.t.Errorf("%s %s: %v", name, target, got.header)
			}
			if name != "script" && !strings.Contains(got.header.Get("Content-Security-Policy"), styleHash(got.text)) {
				g.t.Errorf("the page's style is not what its policy permits: %s", styleHash(got.text))
			}
		}
	}
	if got, _ := g.upgrade(cookie, "websocket"); got.status < 500 || len(g.take()) != 0 {
		g.t.Error("a WebSocket is answered", got.status)
	}
	if got := g.send2("GET", "/", "", "cookie", cookie); got.status < 500 || len(g.take()) != 0 {
		g.t.Error("HTTP/2 is answered", got.status)
	}
}

// styleHash is how a content security policy names the page's one style.
func styleHash(page string) string {
	_, rest, _ := strings.Cut(page, "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(style))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// An impostor in the PDP's place proves nothing by a certificate of its own,
// nor by one that the PDP's CA has issued to another.
func closedToAnImpostor(g *gate) {
	cookie, _ := g.signedIn("/")
	g.front.close()
	_, elsewhere := authority(g.t)
	for name, certificate := range map[string]tls.Certificate{"another CA's": elsewhere("localhost"), "another name's": g.issue("agents.example.gov.tw")} {
		end := impostor(g.t, g.front.address, certificate)
		g.closed(name, "GET", "/", cookie)
		if got := g.send("GET", "/.menshen/start", "", page...); got.status < 500 {
			g.t.Errorf("%s: the impostor's own page is shown: %d", name, got.status)
		}
		end()
	}
}

// Only the answers of the protocol open anything.
func closedOnNonsense(g *gate) {
	cookie, _ := g.signedIn("/")
	for _, status := range []int{300, 301, 302, 303, 304, 307, 400, 402, 404, 405, 407, 418, 421, 429, 500, 502, 503, 504, 599} {
		g.front.answer(func(w http.ResponseWriter, _ *http.Request) {
			for _, name := range identityHeaders {
				w.Header().Set(name, "somebody")
			}
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
		})
		got := g.send("GET", "/", "", with([]string{"Cookie", cookie}, script)...)
		if n := len(g.take()); n != 0 || got.status < 300 {
			g.t.Errorf("the PDP answers %d: %d, reached %d", status, got.status, n)
		}
	}
	for name, text := range map[string]string{
		"nothing": "", "no HTTP": "hello\r\n\r\n", "half a line": "HTTP/1.1 2", "half a header": "HTTP/1.1 200 OK\r\nMenshen-Subject: per", "a status of letters": "HTTP/1.1 2OO OK\r\n\r\n",
		"zeros": strings.Repeat("\x00", 200), "another protocol": "SSH-2.0-OpenSSH_9.2\r\n",
	} {
		g.front.says(text)
		g.closed(name, "GET", "/", cookie, script...)
	}
	g.front.says("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
	if g.proxy.hands101 {
		g.switchesNothing(cookie)
	} else {
		g.closed("an upgrade", "GET", "/", cookie, script...)
	}
	// Who was let in is told to the application by the PDP alone: what it does
	// not say is empty there, and not the client's.
	g.front.answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	got := g.send("GET", "/", "", with([]string{"Cookie", cookie}, forgeries()[:40])...)
	for _, a := range g.take() {
		if text := fmt.Sprint(a.header); strings.Contains(text, "forged") {
			g.t.Error(got.status, text)
		}
	}
}

// switchesNothing holds that after a 101 the client's connection leads where it
// led before: what follows is asked about, and gets no further.
func (g *gate) switchesNothing(cookie string) {
	g.t.Helper()
	conn := g.dial("http/1.1")
	defer conn.Close()
	from := bufio.NewReader(conn)
	g.front.take()
	for n := range 2 {
		_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: "+host+"\r\nCookie: "+cookie+"\r\n\r\n")
		check(g.t, err)
		got := receive(from, http.MethodGet)
		if asked := len(g.front.take()); got.status != http.StatusSwitchingProtocols || asked != 1 || len(g.take()) != 0 {
			g.t.Errorf("request %d: %d, asked %d times", n, got.status, asked)
		}
	}
}

// An answer is read up to a bound.
func closedOnAnEndlessHeader(g *gate) {
	cookie, _ := g.signedIn("/")
	g.front.says("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("a", 1<<20) + "\r\n\r\n")
	g.closed("an endless header", "GET", "/", cookie, script...)
}

// A PDP that does not answer is waited for, but not for ever.
func closedWhileThePDPIsSilent(g *gate) {
	cookie, _ := g.signedIn("/")
	silence := make(chan struct{})
	g.front.answer(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-silence:
		case <-r.Context().Done():
		}
	})
	g.closed("a silent PDP", "GET", "/", cookie, page...)
	close(silence)
}

func closedWithAWrongSecret(g *gate) {
	cookie, _ := g.signedIn("/")
	g.set(func() { g.removed = true })
	g.server.PortalsChanged()
	got := g.send("GET", "/", "", with([]string{"Cookie", cookie}, page)...)
	if got.status != http.StatusUnauthorized || !strings.Contains(got.text, "ZT-SES-020") || len(g.reached()) != 0 {
		g.t.Fatal(got.status, got.text)
	}
}
