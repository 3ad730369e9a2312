package proxies

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
)

func upgrades(g *gate) {
	cookie, _ := g.signedIn("/")
	got, open := g.upgrade(cookie, "websocket")
	if got.status != http.StatusSwitchingProtocols || got.header.Get("Sec-WebSocket-Accept") != accept(key) {
		g.t.Fatal(got.status, got.text)
	}
	for _, line := range []string{"one", strings.Repeat("long ", 20000), "three"} {
		if err := open.echoes(line); err != nil {
			g.t.Fatal(err)
		}
	}
	g.arrivedClean("a WebSocket")
	// Any other upgrade would carry requests past the decision.
	for _, to := range []string{"h2c", "TLS/1.0", "websocket, h2c", "h2c, websocket", "xwebsocket", "websocket/1"} {
		got, _ := g.upgrade(cookie, to, "HTTP2-Settings", "AAMAAABkAAQCAAAAAAIAAAAA")
		if got.status == http.StatusSwitchingProtocols {
			g.t.Error("upgraded to", to)
		}
		for _, a := range g.reached() {
			if a.header.Get("Upgrade") != "" {
				g.t.Errorf("%q: the application was asked to upgrade to %q", to, a.header.Values("Upgrade"))
			}
		}
	}
	if got, _ := g.upgrade("", "websocket"); got.status != http.StatusUnauthorized {
		g.t.Error("without a session:", got.status)
	}
	g.decide(g.readsOnly)
	for _, to := range []string{"websocket", "h2c", "WebSocket"} {
		got, _ := g.upgrade(cookie, to)
		list := g.reached()
		// A proxy that takes the words for it out asks about a plain GET.
		if plain := to == "h2c" && got.status == http.StatusOK && len(list) == 1 && list[0].header.Get("Upgrade") == ""; plain {
			continue
		}
		if got.status != http.StatusForbidden || len(list) != 0 {
			g.t.Errorf("reads only, and %s is answered %d, reached %d", to, got.status, len(list))
		}
	}
}

// opened opens a WebSocket and holds that it works.
func (g *gate) opened(cookie string) *socket {
	g.t.Helper()
	got, open := g.upgrade(cookie, "websocket")
	if got.status != http.StatusSwitchingProtocols {
		g.t.Fatal(got.status, got.text)
	}
	if err := open.echoes("hello"); err != nil {
		g.t.Fatal(err)
	}
	return open
}

// ended waits until a WebSocket is closed, as long as its connection's deadline.
func (s *socket) ended() error {
	line, err := s.from.ReadString('\n')
	if errors.Is(err, os.ErrDeadlineExceeded) || err == nil {
		return fmt.Errorf("it is still open: %q, %w", line, err)
	}
	return nil
}

// An open WebSocket ends with its session, and when what was decided when it
// opened does not hold any more; those of others go on.
func cuts(g *gate) {
	first, _ := g.signedIn("/")
	session := g.sessions.Sessions("per-1")[0].ID
	second, _ := g.signedIn("/")
	one, two, other := g.opened(first), g.opened(first), g.opened(second)
	check(g.t, g.sessions.Revoke(g.t.Context(), session))
	for _, s := range []*socket{one, two} {
		if err := s.ended(); err != nil {
			g.t.Error(err)
		}
	}
	if err := other.echoes("still here"); err != nil {
		g.t.Fatal(err)
	}
	g.decide(g.readsOnly) // a WebSocket counts as a write
	if err := other.ended(); err != nil {
		g.t.Error(err)
	}
	// A PDP that has started anew knows of no connection, so none stays.
	g.decide(g.allow)
	other = g.opened(second)
	restarted := g.newServer()
	g.front.answer(restarted.ServeHTTP)
	g.front.server.CloseClientConnections()
	if err := other.ended(); err != nil {
		g.t.Error(err)
	}
	// While it cannot be asked nobody knows what to cut, so all are cut in the
	// end, and none opens.
	other = g.opened(second)
	g.front.close()
	if err := other.ended(); err != nil {
		g.t.Error(err)
	}
}
