package proxies

import (
	"net/http"
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
