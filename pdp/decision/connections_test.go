package decision_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/session"
)

// watched is a world in which open connections are asked about again.
func watched(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { w.server.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	return w
}

// open asks for an upgrade on a connection that the proxy names.
func (w *world) open(cookie, name string) *http.Response {
	w.t.Helper()
	return w.ask(asked{original: "GET /ws", header: map[string]string{"Cookie": cookie, "X-Original-Upgrade": "websocket", "X-Menshen-Connection": name}})
}

// teller asks which connections to cut, as a proxy does.
type teller struct {
	w           *world
	secret      string
	epoch, next string
}

func (c *teller) ask() (ids []string, all bool) {
	c.w.t.Helper()
	query := url.Values{"epoch": {c.epoch}, "after": {c.next}}
	got := c.w.ask(asked{path: "/connections/ended?" + query.Encode(), header: map[string]string{"Menshen-Portal-Secret": c.secret,
		"X-Original-Method": "-", "X-Original-URI": "-", "X-Real-IP": "-"}})
	if got.StatusCode != http.StatusOK {
		c.w.t.Fatal(got.Status)
	}
	c.epoch, c.next = got.Header.Get("Menshen-Epoch"), got.Header.Get("Menshen-Next")
	return strings.Fields(body(c.w.t, got)), got.Header.Get("Menshen-All") == "1"
}

// began is a proxy that has asked for the first time.
func (w *world) began() *teller {
	w.t.Helper()
	c := &teller{w: w, secret: secret}
	if ids, all := c.ask(); !all || len(ids) != 0 {
		w.t.Fatalf("at first: %q %v", ids, all)
	}
	return c
}

func (c *teller) want(ids ...string) {
	c.w.t.Helper()
	got, all := c.ask()
	for len(got) < len(ids) && !all {
		more, lost := c.ask()
		got, all = append(got, more...), lost
	}
	slices.Sort(got)
	if all || !slices.Equal(got, ids) {
		c.w.t.Fatalf("to cut: %q %v, not %q", got, all, ids)
	}
}

func TestAnOpenConnectionFeelsWhatItsSessionDoes(t *testing.T) {
	lapse := func(w *world, s session.Subject, a wire.Action) (wire.Facts, wire.Decision) {
		f, d := w.allow(s, a)
		d.ValidUntil = w.clock().Add(20 * time.Second)
		return f, d
	}
	for name, change := range map[string]func(w *world, cookie string){
		"signed out": func(w *world, cookie string) {
			w.ask(asked{method: http.MethodPost, path: "/.menshen/sign-out", header: own(cookie)})
		},
		"revoked": func(w *world, _ string) {
			check(w.t, w.sessions.Revoke(w.t.Context(), w.sessions.Sessions("per-1")[0].ID))
		},
		"denied": func(w *world, _ string) {
			w.set(func() { w.engine = w.deny })
			w.sessions.DeviceChanged("dev-1")
		},
		"reads only": func(w *world, _ string) { w.decide(w.readsOnly) },
		"the decision's own end": func(w *world, _ string) {
			w.decide(func(s session.Subject, a wire.Action) (wire.Facts, wire.Decision) { return lapse(w, s, a) })
			w.set(func() { w.engine = w.deny })
		},
		"audit log closed": func(w *world, _ string) {
			w.set(func() { w.logErr = context.DeadlineExceeded })
			w.sessions.PolicyChanged()
		},
		"the portal's routes": func(w *world, _ string) {
			w.set(func() {
				w.routes = []wire.Route{{Path: "/ws", Action: wire.ActionAdmin}}
				w.engine = func(s session.Subject, a wire.Action) (wire.Facts, wire.Decision) {
					if a == wire.ActionAdmin {
						return w.deny(s, a)
					}
					return w.allow(s, a)
				}
			})
			w.forgetPortals()
		},
		"the portal's secret": func(w *world, _ string) {
			w.set(func() { w.removed = true })
			w.forgetPortals()
			w.untilCut()
			w.set(func() { w.removed = false }) // or its proxy could not ask
		},
		"idle": func(w *world, _ string) { w.set(func() { w.now = w.now.Add(15 * time.Minute) }) },
		"confirmed": func(w *world, _ string) {
			w.set(func() { w.now = w.now.Add(14*time.Minute + 59*time.Second) })
			w.ask(asked{})
			w.set(func() { w.now = w.now.Add(time.Second) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := watched(t)
			cookie := w.enter()
			proxy := w.began()
			if got := w.open(cookie, "c-1"); got.StatusCode != http.StatusOK {
				t.Fatal(got.Status)
			}
			change(w, cookie)
			if name == "the decision's own end" {
				w.set(func() { w.now = w.now.Add(20 * time.Second) })
			}
			proxy.want("c-1")
			if open, _ := w.server.Connections(); open != 0 {
				t.Errorf("%d still open", open)
			}
		})
	}
}

// untilCut waits until no connection is open any more.
func (w *world) untilCut() {
	for open := 1; open > 0; open, _ = w.server.Connections() {
		time.Sleep(10 * time.Millisecond)
	}
}

// A change that leaves the answer what it is cuts nothing, nor does the end of
// another session; a renewed session keeps its connections.
func TestOnlyWhatFellIsCut(t *testing.T) {
	w := watched(t)
	first, second := w.enter(), w.enter()
	proxy := w.began()
	w.open(first, "c-1")
	w.open(second, "c-2")
	w.open(second, "c-3")
	w.sessions.PolicyChanged()
	w.ask(asked{method: http.MethodPost, path: "/.menshen/sign-out", header: own(second)})
	proxy.want("c-2", "c-3")
	// The laptop is confirmed again: another cookie, the same session.
	begun := w.ask(asked{path: "/.menshen/start?rd=/&fresh=1", header: map[string]string{"Cookie": first, "Sec-Fetch-Mode": "navigate"}})
	code, _ := w.signIn(begun.Header.Get("Location"))
	ended := w.ask(asked{path: "/.menshen/callback?code=" + code, header: map[string]string{"Cookie": cookieOf(t, begun, "__Host-menshen-pre") + "; " + first}})
	renewed := cookieOf(t, ended, "__Host-menshen-session")
	third := w.enter()
	w.open(third, "c-4")
	w.ask(asked{method: http.MethodPost, path: "/.menshen/sign-out", header: own(third)})
	proxy.want("c-4")
	if open, _ := w.server.Connections(); open != 1 {
		t.Fatalf("%d open", open)
	}
	w.ask(asked{method: http.MethodPost, path: "/.menshen/sign-out", header: own(renewed)})
	proxy.want("c-1")
}

func TestWhatIsNoOpenConnection(t *testing.T) {
	w := newWorld(t)
	cookie := w.enter()
	w.ask(asked{header: map[string]string{"Cookie": cookie, "X-Menshen-Connection": "c-1"}}) // no upgrade
	w.decide(w.deny)
	w.open(cookie, "c-2") // not let through
	w.decide(w.allow)
	w.ask(asked{header: map[string]string{"Cookie": cookie, "X-Original-Upgrade": "websocket"}}) // no name
	if open, nameless := w.server.Connections(); open != 0 || nameless != 1 {
		t.Errorf("%d open, %d nameless", open, nameless)
	}
	for _, name := range []string{"two words", "\x7f", "\u00e9", strings.Repeat("x", 129)} {
		if got := w.open(cookie, name); got.StatusCode != http.StatusInternalServerError || !strings.Contains(body(t, got), reason.ProxyMalformed) {
			t.Errorf("%q: %s", name, got.Status)
		}
	}
	if got := w.ask(asked{header: map[string]string{"Cookie": cookie, "X-Menshen-Connection": "c"}, twice: "X-Menshen-Connection"}); got.StatusCode != http.StatusInternalServerError {
		t.Errorf("two names: %s", got.Status)
	}
}

// The oldest connection of a session with too many gives way, and one whose
// name is used again is another.
func TestConnectionsOfASessionAreBounded(t *testing.T) {
	w := newWorld(t)
	cookie := w.enter()
	proxy := w.began()
	for i := range 65 {
		w.open(cookie, "c-"+strconv.Itoa(i))
	}
	proxy.want("c-0")
	w.open(cookie, "c-1")
	w.open(cookie, "c-65")
	proxy.want("c-2")
	if open, _ := w.server.Connections(); open != 64 {
		t.Errorf("%d open", open)
	}
}

func TestWhoIsToldOfConnectionsToCut(t *testing.T) {
	w := newWorld(t)
	cookie := w.enter()
	proxy, other := w.began(), &teller{w: w, secret: otherSecret}
	other.ask()
	for i := range 65 {
		w.open(cookie, "c-"+strconv.Itoa(i))
	}
	proxy.want("c-0")
	restarted := *proxy
	restarted.epoch = "another"
	if ids, all := restarted.ask(); !all || len(ids) != 0 {
		t.Errorf("after a restart: %q %v", ids, all)
	}
	ahead := teller{w: w, secret: secret, epoch: proxy.epoch, next: "99"}
	if ids, all := ahead.ask(); !all || len(ids) != 0 {
		t.Errorf("a number that was never told: %q %v", ids, all)
	}
	again := teller{w: w, secret: secret, epoch: proxy.epoch, next: "0"}
	again.want("c-0") // resumed from the same number
	if got := w.ask(asked{path: "/connections/ended", header: map[string]string{"Menshen-Portal-Secret": "wrong"}}); got.StatusCode != http.StatusUnauthorized {
		t.Errorf("a stranger: %s", got.Status)
	}
	if got := w.ask(asked{path: "/connections/ended", method: http.MethodPost}); got.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %s", got.Status)
	}
	// Another portal's proxy learns nothing: it waits until the PDP stops.
	var waiting sync.WaitGroup
	waiting.Go(func() {
		if ids, all := other.ask(); len(ids) != 0 || all {
			t.Errorf("another portal's proxy was told %q %v", ids, all)
		}
	})
	ctx, stop := context.WithCancel(t.Context())
	stop()
	w.server.Run(ctx) // ends at once, and lets nobody wait
	waiting.Wait()
}
