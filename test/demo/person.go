//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/menshen-zt/menshen/test/lab"
)

const (
	sessionCookie = "__Host-menshen-session" // of the portal
	pdpCookie     = "__Host-menshen"         // of the PDP's own origin
)

// openBrowser starts Chromium on the laptop, with the managed policy that the
// agent's package lays down: without it a public page may not ask loopback.
func (w *world) openBrowser(ctx context.Context) (err error) {
	policies := w.path("root", "chromium")
	if err := os.MkdirAll(filepath.Join(policies, "policies", "managed"), 0o755); err != nil { // #nosec G301 -- as in /etc
		return err
	}
	if err := os.Chmod(w.path("root"), 0o711); err != nil { // #nosec G302 -- the browser's user passes through
		return err
	}
	managed := fmt.Sprintf(`{"LoopbackNetworkAllowedForUrls":[%q],"LocalNetworkAccessAllowedForUrls":[%q]}`, pdpURL, pdpURL)
	if err := os.WriteFile(filepath.Join(policies, "policies", "managed", "menshen.json"), []byte(managed), 0o644); err != nil { // #nosec G306 -- as in /etc
		return err
	}
	where := w.at(w.net.Laptop, personUID)
	where.Bind["/etc/chromium"] = policies
	w.browser, err = lab.OpenBrowser(ctx, lab.BrowserOptions{
		Where: where, Home: w.path("person"), Language: "zh-TW", Pictures: w.pics, Public: []string{lab.PDPIP + ":443"},
	})
	return err
}

func (w *world) register(ctx context.Context, n *narrator, tell tell) error {
	if err := w.openBrowser(ctx); err != nil {
		return err
	}
	out, err := w.ctl("person", "link", "wang.xm", "--agency", "moda", "--json")
	if err != nil {
		return err
	}
	var link struct {
		URL string `json:"url"`
	}
	if err := json.Unmarshal([]byte(out), &link); err != nil || link.URL == "" {
		return fmt.Errorf("no link in %s: %w", out, errors.Join(errMissing, err))
	}
	if err := w.browser.Open(link.URL); err != nil {
		return err
	}
	if err := w.browser.WaitFor(10*time.Second, "document.querySelector('#person') && !document.querySelector('#person').hidden"); err != nil {
		return err
	}
	path, err := w.browser.Picture(fmt.Sprintf("%02d-register", n.step))
	if err != nil {
		return err
	}
	n.Picture(path)
	if err := w.browser.Type("#nickname", "辦公室金鑰"); err != nil {
		return err
	}
	if err := w.browser.Click("#person button[type=submit]"); err != nil {
		return err
	}
	if err := w.browser.WaitFor(15*time.Second, "!document.querySelector('#done').hidden"); err != nil {
		return err
	}
	tell("the key made a credential that cannot leave it, with user verification; it is a test key, and every page says so")
	if path, err = w.browser.Picture(fmt.Sprintf("%02d-registered", n.step)); err != nil {
		return err
	}
	n.Picture(path)
	return nil
}

func (w *world) signIn(_ context.Context, n *narrator, tell tell) error {
	if _, err := w.visit("/"); err != nil {
		return err
	}
	if err := w.page("人事資料系統"); err != nil {
		return err
	}
	if err := w.snap(n, "sign-in"); err != nil {
		return err
	}
	start := time.Now()
	if err := w.touchKey(); err != nil {
		return err
	}
	if err := w.greeted(); err != nil {
		return err
	}
	tell("identity, device and situation proven; portal open %v after the touch", time.Since(start).Round(time.Millisecond))
	if err := w.portalAnswers(200); err != nil {
		return err
	}
	if err := w.showDecision(tell); err != nil {
		return err
	}
	return w.snap(n, "portal")
}

// signInAgain opens two more sessions. For the first the PDP still knows the
// person, so the key is not asked for and the laptop alone is confirmed again.
// For the second it has forgotten; after the touch the plugin has a sign-in
// from this network to go by.
func (w *world) signInAgain(_ context.Context, _ *narrator, tell tell) error {
	if err := w.browser.Forget(portalURL, sessionCookie); err != nil {
		return err
	}
	start := time.Now()
	if _, err := w.visit("/"); err != nil {
		return err
	}
	if err := w.greeted(); err != nil {
		return err
	}
	tell("a new session without a touch, %v; it teaches the plugin nothing", time.Since(start).Round(time.Millisecond))
	if err := errors.Join(w.browser.Forget(portalURL, sessionCookie), w.browser.Forget(pdpURL, pdpCookie)); err != nil {
		return err
	}
	if _, err := w.visit("/"); err != nil {
		return err
	}
	if err := errors.Join(w.touchKey(), w.greeted()); err != nil {
		return err
	}
	trust, err := w.lastTrust()
	if err != nil {
		return err
	}
	for _, t := range trust.Terms {
		if t.Name == "networknovelty" {
			if t.State != "answered" || t.Nats <= 0 {
				return fmt.Errorf("the plugin does not know the network: %s, %+.2f nats", t.State, t.Nats)
			}
			tell("after a fresh touch networknovelty speaks for the person: %+.2f nats; score %d, coverage %.0f %%", t.Nats, trust.Score, 100*trust.Coverage)
		}
	}
	return nil
}

// greeted waits until the portal greets the person by name.
func (w *world) greeted() error {
	return w.browser.WaitFor(20*time.Second, "location.href.startsWith('"+portalURL+"/') && document.body.innerText.includes('王小明')")
}

// touchKey starts the key's part of the sign-in page, if the page waits for it.
func (w *world) touchKey() error {
	if err := w.browser.WaitFor(10*time.Second, "document.querySelector('#use-key') && !document.querySelector('#use-key').hidden || location.href.startsWith('"+portalURL+"')"); err != nil {
		return err
	}
	if strings.HasPrefix(w.here(), portalURL) {
		return nil
	}
	return w.browser.Click("#use-key")
}

// showDecision tells what the PDP decided for the person's session, and why.
func (w *world) showDecision(tell tell) error {
	out, err := w.ctl("session", "list", "--json")
	if err != nil {
		return err
	}
	var sessions []struct {
		ID       string   `json:"id"`
		Networks []string `json:"networks"`
	}
	if err := json.Unmarshal([]byte(out), &sessions); err != nil || len(sessions) == 0 {
		return fmt.Errorf("no session in %s: %w", out, errors.Join(errMissing, err))
	}
	tell("session %s, proven on %s alone", sessions[len(sessions)-1].ID, strings.Join(sessions[len(sessions)-1].Networks, ", "))
	trust, err := w.lastTrust()
	if err != nil {
		return err
	}
	for _, t := range trust.Terms {
		tell("trust term %-18s %+.2f nats (%s)", t.Name, t.Nats, t.State)
	}
	tell("trust score %d of 100, coverage %.0f %%", trust.Score, 100*trust.Coverage)
	return nil
}

func (w *world) killPlugin(_ context.Context, _ *narrator, tell tell) error {
	before, err := w.lastTrust()
	if err != nil {
		return err
	}
	pid, err := w.pluginPID()
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return err
	}
	took, err := within(10*time.Second, func() error {
		if err := w.portalAnswers(200); err != nil {
			return err
		}
		now, err := w.lastTrust()
		if err != nil {
			return err
		}
		for _, t := range now.Terms {
			if t.State == "missing" {
				tell("score %d → %d, coverage %.0f %% → %.0f %%: absence never helps", before.Score, now.Score, 100*before.Coverage, 100*now.Coverage)
				return nil
			}
		}
		return errors.New("no term is missing yet")
	})
	if err != nil {
		return err
	}
	tell("felt in a decision %v after kill -9", took)
	again, err := within(20*time.Second, func() error {
		if next, err := w.pluginPID(); err != nil || next == pid {
			return errors.Join(err, errors.New("not started again"))
		}
		return nil
	})
	if err != nil {
		return err
	}
	tell("started again after %v", again)
	return nil
}

// pluginPID finds the plugin's process among the PDP's children.
func (w *world) pluginPID() (int, error) {
	out, err := lab.Run(w.at(w.net.Gate, 0).Command("sh", "-c", `for p in /proc/[0-9]*; do
  case $(tr '\0' ' ' <$p/cmdline 2>/dev/null) in *networknovelty*) case $(sed -n 's/^PPid:\t//p' $p/status) in `+fmt.Sprint(w.pdp.PID())+`) basename $p;; esac;; esac
done`))
	if err != nil {
		return 0, err
	}
	var pid int
	if _, err := fmt.Sscan(out, &pid); err != nil {
		return 0, errors.New("the plugin's process is not to be found")
	}
	return pid, nil
}

func (w *world) killPDP(ctx context.Context, _ *narrator, tell tell) error {
	before, err := w.device()
	if err != nil {
		return err
	}
	w.pdp.Kill()
	closed, err := w.from(w.net.Laptop, request{Method: "GET", URL: portalURL + "/", Cookie: "x=y", Accept: "text/html"})
	if err != nil {
		return err
	}
	if closed.Status < 500 {
		return fmt.Errorf("with the PDP dead the portal answered %d", closed.Status)
	}
	tell("PDP dead: the portal is closed (%d)", closed.Status)
	start := time.Now()
	if err := w.runPDP(ctx); err != nil {
		return err
	}
	tell("PDP up again after %v", time.Since(start).Round(time.Millisecond))
	took, err := within(20*time.Second, func() error { return w.portalAnswers(200) })
	if err != nil {
		return err
	}
	after, err := w.device()
	if err != nil {
		return err
	}
	if after.Device.ID == "" || after.Device.ID != before.Device.ID {
		return errors.New("another device")
	}
	tell("the same cookie opens the portal again %v later; the device %s is known", took, after.Device.Name)
	out, err := w.verifyAudit()
	if err != nil {
		return err
	}
	tell("audit: %s", out)
	return nil
}

// verifyAudit checks a copy of the audit log offline, as an auditor would.
func (w *world) verifyAudit() (string, error) {
	dir, err := os.MkdirTemp(w.path("root"), "audit-")
	if err != nil {
		return "", err
	}
	if err := os.CopyFS(filepath.Join(dir, "copy"), os.DirFS(w.path("pdp", "data", "audit"))); err != nil {
		return "", err
	}
	out, err := w.ctl("audit", "verify", filepath.Join(dir, "copy"))
	return strings.Join(strings.Fields(strings.Join(strings.SplitN(out, "\n", 3)[:min(2, strings.Count(out, "\n")+1)], "; ")), " "), err
}

func (w *world) audit(_ context.Context, _ *narrator, tell tell) error {
	out, err := w.verifyAudit()
	if err != nil {
		return err
	}
	tell("%s", out)
	return w.tamper(tell)
}

// recover ends the story where a working day goes on.
func (w *world) recover(_ context.Context, _ *narrator, tell tell) error {
	if err := w.startAgent(); err != nil {
		return err
	}
	took, err := within(20*time.Second, func() error { return w.portalAnswers(200) })
	if err != nil {
		return err
	}
	tell("open again %v after the agent's start, with the same session", took)
	return nil
}
