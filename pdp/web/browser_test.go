package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// chromium is a headless browser that finds the test's hosts on loopback.
type chromium struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	messages []string // the console's warnings and errors
}

func openChromium(t *testing.T, flags ...string) *chromium {
	t.Helper()
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath("/usr/bin/chromium"), chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1280, 900),
		chromedp.Flag("host-resolver-rules", "MAP *.test 127.0.0.1"), chromedp.Flag("ignore-certificate-errors", true),
	}
	for _, flag := range append([]string{
		"headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
		"disable-component-update", "disable-sync", "hide-scrollbars",
	}, flags...) {
		if name, value, ok := strings.Cut(flag, "="); ok {
			options = append(options, chromedp.Flag(name, value))
		} else {
			options = append(options, chromedp.Flag(flag, true))
		}
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(func() { cancel(); stop() })
	c := &chromium{t: t, ctx: ctx}
	c.must(chromedp.Do(ctx, chromedp.Navigate("about:blank")))
	c.must(chromedp.Listen(ctx, c.hear))
	return c
}

// hear keeps what the console says: a violation of the content security
// policy is among it.
func (c *chromium) hear(event any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch e := event.(type) {
	case *log.EventEntryAdded:
		if e.Entry.Level != log.EntryLevelVerbose && e.Entry.Level != log.EntryLevelInfo {
			c.messages = append(c.messages, e.Entry.Text)
		}
	case *runtime.EventExceptionThrown:
		c.messages = append(c.messages, "exception: "+e.ExceptionDetails.Text)
	}
}

// heard returns and forgets the console's messages that hold text.
func (c *chromium) heard(text string) (found []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.messages {
		if strings.Contains(m, text) {
			found = append(found, m)
		}
	}
	c.messages = nil
	return found
}

func (c *chromium) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *chromium) do(actions ...chromedp.Action[chromedp.Void]) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, 20*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		c.t.Fatalf("%v at:\n%s", err, c.text())
	}
}

func (c *chromium) open(url string) { c.t.Helper(); c.do(chromedp.Navigate(url)) }

func (c *chromium) click(selector string) { c.t.Helper(); c.do(chromedp.Click(selector)) }

func (c *chromium) eval(expression string, v any) error {
	ctx, cancel := context.WithTimeout(c.ctx, 10*time.Second)
	defer cancel()
	raw, err := chromedp.Run(ctx, chromedp.Evaluate[json.RawMessage](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, v)
}

func (c *chromium) value(expression string) string {
	c.t.Helper()
	var text string
	c.must(c.eval("String("+expression+")", &text))
	return text
}

func (c *chromium) text() string {
	var text string
	_ = c.eval("location.href + '\\n' + document.body.innerText", &text)
	return text
}

// until waits for an expression to be true, across navigations.
func (c *chromium) until(expression string) {
	c.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		var yes bool
		err := c.eval("Boolean("+expression+")", &yes)
		if err == nil && yes {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("waited for %s: %v\n%s\n%q", expression, errors.Join(err), c.text(), c.messages)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// key plugs in a virtual security key that verifies its user.
func (c *chromium) key() webauthn.AuthenticatorID {
	c.t.Helper()
	_, err := chromedp.Call(c.ctx, webauthn.Enable, webauthn.EnableParams{})
	c.must(err)
	added, err := chromedp.Call(c.ctx, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{
		Options: &webauthn.VirtualAuthenticatorOptions{
			Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportUsb,
			HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
		},
	})
	c.must(err)
	return added.AuthenticatorID
}

// verifies sets whether a key's user can be verified.
func (c *chromium) verifies(id webauthn.AuthenticatorID, yes bool) {
	c.t.Helper()
	_, err := chromedp.Call(c.ctx, webauthn.SetUserVerified, webauthn.SetUserVerifiedParams{AuthenticatorID: id, IsUserVerified: yes})
	c.must(err)
}

func (c *chromium) unplug(id webauthn.AuthenticatorID) {
	c.t.Helper()
	_, err := chromedp.Call(c.ctx, webauthn.RemoveVirtualAuthenticator, webauthn.RemoveVirtualAuthenticatorParams{AuthenticatorID: id})
	c.must(err)
}

func (c *chromium) language(tag string) {
	c.t.Helper()
	_, err := chromedp.Call(c.ctx, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": tag}})
	c.must(err)
}

func (c *chromium) width(pixels int64) {
	c.t.Helper()
	c.do(chromedp.EmulateViewport(pixels, 900))
}

// picture keeps a screenshot of the whole page where the environment says so.
func (c *chromium) picture(name string) {
	c.t.Helper()
	folder := os.Getenv("MENSHEN_PICTURES")
	if folder == "" {
		return
	}
	png, err := chromedp.Run(c.ctx, chromedp.FullScreenshot(100))
	c.must(err)
	c.must(os.WriteFile(filepath.Join(folder, name+".png"), png, 0o600))
}

// looks checks what must hold of every page in every language and width, and
// takes the screenshots.
func (c *chromium) looks(name string) {
	c.t.Helper()
	for _, width := range []int64{1280, 320} {
		c.width(width)
		if overflow := c.value("document.documentElement.scrollWidth - document.documentElement.clientWidth"); overflow != "0" {
			c.t.Errorf("%s at %d px scrolls sideways by %s px: %s", name, width, overflow, c.value(widest))
		}
		c.picture(fmt.Sprintf("%s-%d", name, width))
	}
	c.dark(name)
	c.width(1280)
	for _, m := range c.heard("ontent Security Policy") {
		c.t.Errorf("%s: %s", name, m)
	}
}

// dark takes a picture as people see it who prefer a dark screen.
func (c *chromium) dark(name string) {
	c.t.Helper()
	if os.Getenv("MENSHEN_PICTURES") == "" {
		return
	}
	set := func(value string) {
		_, err := chromedp.Call(c.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: value}},
		})
		c.must(err)
	}
	set("dark")
	c.picture(name + "-dark")
	set("light")
}

// widest names the elements that reach over the edge.
const widest = `[...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > innerWidth + 1)
	.map((e) => e.tagName + '.' + e.className + '#' + e.id).slice(0, 5).join(' ')`

func sendKeys(selector, text string) chromedp.Action[chromedp.Void] {
	return chromedp.SendKeys(selector, text)
}

func pressEnter(selector string) chromedp.Action[chromedp.Void] {
	return chromedp.SendKeys(selector, "\r")
}
