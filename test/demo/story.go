//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/test/lab"
)

type tell = func(format string, args ...any)

// story tells everything in order. Each step checks what it claims.
func story(ctx context.Context, n *narrator, w *world) error {
	steps := []struct {
		title string
		do    func(context.Context, *narrator, tell) error
	}{
		{"A PDP with its first agency and administrator", w.startPDP},
		{"The person, the portal behind nginx, the plugin", w.openPortal},
		{"The laptop enrols with a one-time code", w.enrol},
		{"The laptop attests: identity, boot, firewall", w.attest},
		{"What the pilot booted is learned, shown and approved", w.references},
		{"How the laptop stands to the configuration baseline (GCB)", w.baseline},
		{"The person registers a security key", w.register},
		{"The portal opens: key, laptop, situation", w.signIn},
		{"More sign-ins: one without a touch, one with; the network is known", w.signInAgain},
		{"The firewall goes off: the next request is denied", w.firewallOff},
		{"The firewall is back: the portal opens again", w.firewallOn},
		{"A kernel update: explained, not denied, and approved", w.kernelUpdate},
		{"A foreign key in db and its boot loader: denied", w.bootTampered},
		{"The plugin is killed: its verdict is missed at once", w.killPlugin},
		{"A copied cookie from the café is worth nothing", w.copiedCookie},
		{"Two things wrong: the page's list, followed one by one, lets the person in", w.checklist},
		{"Forged Evidence is refused, each kind by its own finding", w.forgedEvidence},
		{"The PDP is killed with -9: nothing acknowledged is lost", w.killPDP},
		{"The agent stops: reads only, then nothing", w.silence},
		{"The audit chain tells all of it, and verifies", w.audit},
		{"The agent is back, and so is access", w.recover},
		{"A suspicious address: the key is asked for again, with the reason; a word against it", w.suspicion},
	}
	for _, s := range steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := n.Step(s.title, func(t func(string, ...any)) error { return s.do(ctx, n, t) }); err != nil {
			return err
		}
	}
	return nil
}

// snap takes a page's picture in both languages.
func (w *world) snap(n *narrator, name string) error {
	for _, language := range [...]string{"en", "zh-TW"} {
		if err := w.browser.Language(language); err != nil {
			return err
		}
		if err := w.browser.Open(w.here()); err != nil {
			return err
		}
		path, err := w.browser.Picture(fmt.Sprintf("%02d-%s.%s", n.step, name, language))
		if err != nil {
			return err
		}
		n.Picture(path)
	}
	return nil
}

func (w *world) here() string {
	url, _ := w.browser.Where()
	return url
}

// visit opens the portal in the browser and reports how long the answer took.
func (w *world) visit(path string) (time.Duration, error) {
	start := time.Now()
	err := w.browser.Open(portalURL + path)
	return time.Since(start).Round(time.Millisecond), err
}

// page reports whether the browser's present page contains every word.
func (w *world) page(words ...string) error {
	url, text := w.browser.Where()
	for _, word := range words {
		if !strings.Contains(text, word) {
			return fmt.Errorf("%q is not on the page %s: %.800s", word, url, text)
		}
	}
	return nil
}

// within tries check again until it succeeds or limit is over, and returns how
// long that took.
func within(limit time.Duration, check func() error) (time.Duration, error) {
	start := time.Now()
	for {
		err := check()
		took := time.Since(start).Round(time.Millisecond)
		if err == nil {
			return took, nil
		}
		if took > limit {
			return took, fmt.Errorf("not within %v: %w", limit, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (w *world) copiedCookie(_ context.Context, _ *narrator, tell tell) error {
	value, err := w.browser.Cookie(portalURL, "__Host-menshen-session")
	if err != nil {
		return err
	}
	cookie := "__Host-menshen-session=" + value
	get := request{Method: "GET", URL: portalURL + "/", Cookie: cookie, Accept: "text/html"}
	home, err := w.from(w.net.Laptop, get)
	if err != nil {
		return err
	}
	if home.Status != 200 {
		return fmt.Errorf("the cookie is no good even at home: %d", home.Status)
	}
	page, err := w.from(w.net.Cafe, get)
	if err != nil {
		return err
	}
	if page.Status != 303 {
		return fmt.Errorf("the café got %d for a page", page.Status)
	}
	tell("the same cookie: 200 at home, %d to the sign-in page from the café's network", page.Status)
	script := get
	script.Accept, script.URL = "application/json", portalURL+"/api"
	call, err := w.from(w.net.Cafe, script)
	if err != nil {
		return err
	}
	if call.Status != 401 {
		return fmt.Errorf("a script at the café got %d", call.Status)
	}
	tell("a script at the café: %d with the sign-in address", call.Status)
	nobody, err := w.from(w.net.Cafe, request{Method: "GET", URL: portalURL + "/", Accept: "text/html"})
	if err != nil {
		return err
	}
	if nobody.Status != page.Status {
		return errors.New("the café can tell a stolen cookie from none")
	}
	return nil
}

// LookAround says how to use what is left running, and waits for ^C.
func (w *world) LookAround(ctx context.Context) {
	self := strings.Join(w.at(w.net.Laptop, personUID).Command("chromium").Args, " ")
	fmt.Printf(`
Everything is still running. In the laptop's namespace (%s):
  portal     %s  (%s)
  PDP        %s  (%s)
A browser of your own there, on this display:
  HOME=%s %s --no-sandbox --user-data-dir=%s %s
The agent:
  %s/menshen-agent status --config %s
The PDP:
  %s/menshenctl --socket %s device list
  %s/menshenctl --socket %s status
Everything written lies in %s. Press Ctrl-C to take it all down.
`, w.net.Laptop, portalURL, lab.PortalIP, pdpURL, lab.PDPIP,
		w.path("person"), self, w.path("person", "look"), portalURL,
		w.bin, w.path("agent", "agent.yaml"),
		w.bin, w.path("pdp", "admin.sock"), w.bin, w.path("pdp", "admin.sock"), w.dir)
	<-ctx.Done()
}
