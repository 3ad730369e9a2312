package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// ChromiumFlags start a browser that talks to nobody but the lab.
var ChromiumFlags = [...]string{
	"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
	"--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
}

// Browser is a headless Chromium at a place, with a virtual security key.
type Browser struct {
	ctx   context.Context
	close func()
	pics  string
}

// BrowserOptions say where a browser runs and for whom.
type BrowserOptions struct {
	Where Where
	// Home is the browser's home and profile folder; it belongs to Where.UID.
	Home string
	// Language is its Accept-Language, such as "zh-TW".
	Language string
	// Pictures is where screenshots go.
	Pictures string
	// Public lists addresses (IP:port) that the browser shall treat as the
	// public internet, so that a page from there needs the managed policy to
	// reach loopback, as it does on a real laptop.
	Public []string
}

// OpenBrowser starts Chromium and plugs a virtual FIDO2 key into it that
// verifies its user.
func OpenBrowser(ctx context.Context, o BrowserOptions) (*Browser, error) {
	if err := chownAll(o.Home, o.Where.UID); err != nil {
		return nil, err
	}
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath("/usr/bin/chromium"),
		chromedp.UserDataDir(filepath.Join(o.Home, "profile")),
		chromedp.WindowSize(1280, 900),
		chromedp.Env("HOME="+o.Home, "TMPDIR="+o.Home),
		chromedp.Flag("lang", o.Language),
		chromedp.Flag("accept-lang", o.Language),
		chromedp.ModifyCmdFunc(func(cmd *exec.Cmd) { moveInto(cmd, o.Where) }),
	}
	if len(o.Public) > 0 {
		options = append(options, chromedp.Flag("ip-address-space-overrides", strings.Join(o.Public, "=public,")+"=public"))
	}
	for _, flag := range ChromiumFlags {
		options = append(options, chromedp.Flag(strings.TrimPrefix(flag, "--"), true))
	}
	allocator, stopAllocator := chromedp.NewExecAllocator(ctx, options...)
	tab, stopTab := chromedp.NewContext(allocator)
	b := &Browser{ctx: tab, close: func() { stopTab(); stopAllocator() }, pics: o.Pictures}
	if err := b.plugKey(); err != nil {
		b.close()
		return nil, fmt.Errorf("lab: browser: %w", err)
	}
	return b, nil
}

func moveInto(cmd *exec.Cmd, where Where) {
	inside := where.Command(append([]string{cmd.Path}, cmd.Args[1:]...)...)
	cmd.Path, cmd.Args = inside.Path, inside.Args
}

func (b *Browser) plugKey() error {
	if err := chromedp.Do(b.ctx, chromedp.Navigate("about:blank")); err != nil {
		return err
	}
	if _, err := chromedp.Call(b.ctx, webauthn.Enable, webauthn.EnableParams{}); err != nil {
		return err
	}
	_, err := chromedp.Call(b.ctx, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{
		Options: &webauthn.VirtualAuthenticatorOptions{
			Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportUsb,
			HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
		},
	})
	return err
}

// Close ends the browser.
func (b *Browser) Close() { b.close() }

// Context returns the tab's context, for chromedp's own actions.
func (b *Browser) Context() context.Context { return b.ctx }

// Open navigates to url and waits for the page to load.
func (b *Browser) Open(url string) error {
	return b.within(20*time.Second, func(ctx context.Context) error {
		return chromedp.Do(ctx, chromedp.Navigate(url))
	})
}

// Click clicks what the CSS selector finds, once it is visible.
func (b *Browser) Click(selector string) error {
	return b.within(15*time.Second, func(ctx context.Context) error {
		return chromedp.Do(ctx, chromedp.Click(selector))
	})
}

// Type types text into what the CSS selector finds.
func (b *Browser) Type(selector, text string) error {
	return b.within(15*time.Second, func(ctx context.Context) error {
		return chromedp.Do(ctx, chromedp.SendKeys(selector, text))
	})
}

// Eval evaluates a JavaScript expression, awaiting a promise, into v.
func (b *Browser) Eval(expression string, v any) error {
	return b.within(15*time.Second, func(ctx context.Context) error {
		raw, err := chromedp.Run(ctx, chromedp.Evaluate[json.RawMessage](expression, chromedp.EvalAwaitPromise))
		if err != nil {
			return err
		}
		return json.Unmarshal(raw, v)
	})
}

// WaitFor polls until the JavaScript expression is true, across navigations.
func (b *Browser) WaitFor(limit time.Duration, expression string) error {
	deadline := time.Now().Add(limit)
	for {
		var yes bool
		err := b.Eval("Boolean("+expression+")", &yes)
		if err == nil && yes {
			return nil
		}
		if time.Now().After(deadline) {
			url, text := b.Where()
			return fmt.Errorf("lab: waited %v for %s at %s: %w: %.600s", limit, expression, url, errors.Join(err, errors.New("not true")), text)
		}
		time.Sleep(25 * time.Millisecond)
	}
}

// Where returns the page's address and its text.
func (b *Browser) Where() (url, text string) {
	_ = b.Eval("location.href", &url)
	_ = b.Eval("document.body ? document.body.innerText : ''", &text)
	return url, text
}

// Cookie returns the value of a cookie of url, HttpOnly ones too.
func (b *Browser) Cookie(url, name string) (string, error) {
	got, err := chromedp.Call(b.ctx, network.GetCookies, network.GetCookiesParams{URLs: []string{url}})
	if err != nil {
		return "", err
	}
	for _, c := range got.Cookies {
		if c.Name == name {
			return c.Value, nil
		}
	}
	return "", fmt.Errorf("lab: no cookie %s for %s", name, url)
}

// Forget deletes a cookie of url.
func (b *Browser) Forget(url, name string) error {
	_, err := chromedp.Call(b.ctx, network.DeleteCookies, network.DeleteCookiesParams{Name: name, URL: url})
	return err
}

// Language makes the browser ask for pages in language from now on.
func (b *Browser) Language(language string) error {
	_, err := chromedp.Call(b.ctx, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{
		Headers: network.Headers{"Accept-Language": language},
	})
	return err
}

// Picture saves a screenshot of the whole page as NAME.png and returns its path.
func (b *Browser) Picture(name string) (string, error) {
	path := filepath.Join(b.pics, name+".png")
	return path, b.within(15*time.Second, func(ctx context.Context) error {
		png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
		if err != nil {
			return err
		}
		return os.WriteFile(path, png, 0o600)
	})
}

func (b *Browser) within(limit time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(b.ctx, limit)
	defer cancel()
	return do(ctx)
}

func chownAll(root string, uid int) error {
	return filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, uid, uid)
	})
}
