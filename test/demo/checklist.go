//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/policy"
)

// payrollPolicy is the agency's own, beside the baseline: what its portal's
// routes call payroll asks for a touch of the key that is younger than 10 s.
const payrollPolicy = `@id("moda.payroll-touch")
@reason("ZT-SES-006")
@remedy("sign-in")
forbid (principal, action, resource)
when { context.request.class == "payroll" && context.signIn.ageSeconds >= 10 };
`

// writePolicy lays down the baseline with the agency's own file.
func (w *world) writePolicy() error {
	folder := w.path("pdp", "policy")
	if err := os.Mkdir(folder, 0o755); err != nil { // #nosec G301 -- no secrets
		return err
	}
	files := policy.Baseline()
	files["moda-payroll.cedar"], files["moda-suspicion.cedar"] = []byte(payrollPolicy), []byte(suspicionPolicy)
	for name, text := range files {
		if err := os.WriteFile(w.path("pdp", "policy", name), text, 0o644); err != nil { // #nosec G306 -- no secrets
			return err
		}
	}
	return nil
}

// item is one line of the page's smallest set of changes.
type item struct {
	Action string `json:"action"`
	Claim  string `json:"claim"`
	Code   string `json:"code"`
}

const readSet = `[...document.querySelectorAll('.set > li')].map((e) => ({
	action: e.dataset.action ?? '', claim: e.dataset.claim ?? '', code: e.dataset.code ?? ''}))`

// checklist denies the person for two things at once and follows the page's
// list, one by one, until the portal opens.
func (w *world) checklist(_ context.Context, n *narrator, tell tell) error {
	if err := w.classify("payroll"); err != nil {
		return err
	}
	if err := w.firewall(false); err != nil {
		return err
	}
	denied := func() error {
		if _, err := w.visit("/"); err != nil {
			return err
		}
		return w.page("ZT-DEV-018", "ZT-SES-006")
	}
	if _, err := within(15*time.Second, denied); err != nil {
		return err
	}
	if err := w.snap(n, "two-things"); err != nil {
		return err
	}
	var set []item
	var id string
	if err := errors.Join(w.browser.Eval(readSet, &set), w.browser.Eval("document.getElementById('decision').textContent", &id)); err != nil {
		return err
	}
	if len(set) != 2 {
		return fmt.Errorf("the page asks for %+v", set)
	}
	if err := w.explained(id, tell); err != nil {
		return err
	}
	for i, one := range set {
		if err := w.follow(one); err != nil {
			return fmt.Errorf("%s: %w", one.Code, err)
		}
		tell("done, %d of %d: %s (%s)", i+1, len(set), reason.Of(reason.English, wire.Reason{Code: one.Code}).Title, one.Code)
	}
	if err := errors.Join(w.greeted(), w.portalAnswers(200)); err != nil {
		return err
	}
	tell("the set sufficed: the portal greets 王小明")
	return w.classify("")
}

// classify sets the class of everything behind the portal, or takes it away.
func (w *world) classify(class string) error {
	args := []string{"portal", "routes", portalURL, "--none"}
	if class != "" {
		file := w.path("pdp", "routes.yaml")
		if err := os.WriteFile(file, []byte("routes:\n  - path: /\n    class: "+class+"\n"), 0o644); err != nil { // #nosec G306 -- no secrets
			return err
		}
		args[3] = file
	}
	_, err := w.ctl(args...)
	return err
}

// explained has an officer look at a denial, and compute it again.
func (w *world) explained(id string, tell tell) error {
	why, err := w.ctl("--lang", "en", "decision", "why", id)
	if err != nil {
		return err
	}
	for _, want := range []string{"✖ denied", "王小明", "LT-2231", "moda.payroll-touch  moda-payroll.cedar:1", "tried by the engine: 2", "ZT-DEV-018", "ZT-SES-006", "nats", "can be computed again"} {
		if !strings.Contains(why, want) {
			return fmt.Errorf("decision why lacks %q: %s", want, why)
		}
	}
	tell("menshenctl decision why %s", id)
	for line := range strings.Lines(why) {
		if strings.TrimSpace(line) != "" {
			tell("  │ %s", strings.TrimRight(line, "\n"))
		}
	}
	replay, err := w.ctl("--lang", "en", "decision", "replay", id)
	if err != nil {
		return err
	}
	tell("menshenctl decision replay: %s", strings.SplitN(replay, "\n", 2)[0])
	return nil
}

// follow does what a line of the set says.
func (w *world) follow(one item) error {
	switch {
	case one.Action == "fix-claim" && one.Claim == string(wire.ClaimFirewall):
		if err := w.firewall(true); err != nil {
			return err
		}
		_, err := within(15*time.Second, w.firewallSeen)
		return err
	case one.Action == "sign-in":
		if err := w.browser.Click("#fresh"); err != nil {
			return err
		}
		if err := w.browser.WaitFor(10*time.Second, "location.href.startsWith('"+pdpURL+"')"); err != nil {
			return err
		}
		return w.touchKey()
	}
	return fmt.Errorf("nobody here can do %+v", one)
}

// firewallSeen reports whether the PDP has Evidence of a firewall that is on.
func (w *world) firewallSeen() error {
	d, err := w.device()
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(d.Standing.Result.Claims, func(c wire.Claim) bool { return c.ID == wire.ClaimFirewall && c.State == wire.ClaimPass }) {
		claims, _ := json.Marshal(d.Standing.Result.Claims) //nolint:errchkjson // for an error's text
		return fmt.Errorf("the firewall is not seen: %s", claims)
	}
	return nil
}
