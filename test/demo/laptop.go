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
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/test/lab"
)

const agentsPort = pdpHost + ":8444"

// enrol configures the agent, starts its privileged helper, and enrols with a
// code that an administrator issued.
func (w *world) enrol(ctx context.Context, _ *narrator, tell tell) error {
	if err := w.firewall(true); err != nil {
		return err
	}
	if err := w.configureAgent(); err != nil {
		return err
	}
	if err := w.startHelper(ctx); err != nil {
		return err
	}
	code, err := w.ctl("device", "code", "LT-2231", "--agency", "moda", "--json")
	if err != nil {
		return err
	}
	var issued struct {
		Code string `json:"code"`
	}
	if err := json.Unmarshal([]byte(code), &issued); err != nil || issued.Code == "" {
		return fmt.Errorf("no code in %s: %w", code, errors.Join(errMissing, err))
	}
	tell("one-time code %.24s…, good for one TPM", issued.Code)
	out, err := w.agentSays("enrol", issued.Code, "--pdp", agentsPort)
	if err != nil {
		return err
	}
	for line := range strings.Lines(out) {
		if text := strings.TrimSpace(line); text != "" {
			tell("%s", text)
		}
	}
	if _, err := w.agentSays("enrol", issued.Code, "--pdp", agentsPort); err == nil {
		return errors.New("the same code worked twice")
	}
	tell("the same code a second time: refused")
	return nil
}

func (w *world) agentCommand(args ...string) []string {
	return append([]string{filepath.Join(w.bin, "menshen-agent"), "--config", w.path("agent", "agent.yaml")}, args...)
}

// agentSays runs one command of the agent's program as the agent's user.
func (w *world) agentSays(args ...string) (string, error) {
	return lab.Run(w.at(w.net.Laptop, agentUID).Command(w.agentCommand(append(args, "--lang", "en")...)...))
}

func (w *world) configureAgent() error {
	config := fmt.Sprintf(`tpm: %s
pdp: %s
state: %[3]s/state.json
helper: %[3]s/helper/helper.sock
control: %[3]s/agent.sock
event_log: %[3]s/eventlog
baselines:
  rules: %[4]s
seat: none
log:
  level: debug
`, w.tpm.Device(), agentsPort, w.path("agent"), w.path("agent", "baselines"))
	if err := os.CopyFS(w.path("agent", "baselines"), os.DirFS("installer/linux/baselines")); err != nil {
		return err
	}
	return os.WriteFile(w.path("agent", "agent.yaml"), []byte(config), 0o644) // #nosec G306 -- no secrets
}

func (w *world) startHelper(ctx context.Context) (err error) {
	if w.helper, err = w.start("helper", w.at(w.net.Laptop, 0), w.agentCommand("helper")...); err != nil {
		return err
	}
	return w.helper.Until(ctx, 10*time.Second, func() error {
		_, err := os.Stat(w.path("agent", "helper", "helper.sock"))
		return err
	})
}

func (w *world) startAgent() (err error) {
	w.agent, err = w.start("agent", w.at(w.net.Laptop, agentUID), w.agentCommand("run")...)
	return err
}

// firewall switches the laptop's real nftables firewall, in its own namespace.
func (w *world) firewall(on bool) error {
	rules := "flush ruleset\n"
	if on {
		rules += `table inet filter {
	chain input {
		type filter hook input priority filter; policy drop;
		ct state established,related accept
		iif lo accept
		icmp type echo-request accept
	}
}
`
	}
	path := w.path("root", "rules.nft")
	if err := os.WriteFile(path, []byte(rules), 0o600); err != nil {
		return err
	}
	_, err := lab.Run(w.at(w.net.Laptop, 0).Command("nft", "-f", path))
	return err
}

// device is the laptop as the PDP sees it.
type device struct {
	Device   wire.Device         `json:"device"`
	Standing wire.DeviceStanding `json:"standing"`
}

func (w *world) device() (device, error) {
	out, err := w.ctl("device", "show", "LT-2231", "--agency", "moda", "--json")
	if err != nil {
		return device{}, err
	}
	var d device
	return d, json.Unmarshal([]byte(out), &d)
}

// standing waits until the PDP sees the laptop so.
func (w *world) standing(limit time.Duration, want wire.Standing) (time.Duration, device, error) {
	var d device
	took, err := within(limit, func() (err error) {
		if d, err = w.device(); err != nil {
			return err
		}
		if d.Standing.Standing != want {
			return fmt.Errorf("the laptop is %q, not %q", d.Standing.Standing, want)
		}
		return nil
	})
	return took, d, err
}

func (w *world) attest(ctx context.Context, _ *narrator, tell tell) error {
	if err := w.startAgent(); err != nil {
		return err
	}
	took, d, err := w.standing(20*time.Second, wire.StandingFresh)
	if err != nil {
		return errors.Join(err, w.Explain())
	}
	tell("fresh Evidence %v after the agent's start: quote by the restricted AK, bound to nonce, claims and TLS key", took)
	v := d.Standing.Result.Vector
	tell("instance identity %s, hardware %s, executables %s, configuration %s", tier(v.InstanceIdentity), tier(v.Hardware), tier(v.Executables), tier(v.Configuration))
	for _, c := range d.Standing.Result.Claims {
		tell("claim %-16s %-15s %s", c.ID, c.State, c.Problem)
	}
	out, err := w.agentSays("status")
	if out == "" {
		return err
	}
	tell("%s", strings.SplitN(strings.TrimSpace(out), "\n", 2)[0])
	return nil
}

func tier(t wire.Trustworthiness) string {
	if t == wire.TrustNone {
		return "none"
	}
	return string(t)
}

func (w *world) firewallOff(_ context.Context, n *narrator, tell tell) error {
	if err := w.firewall(false); err != nil {
		return err
	}
	took, err := within(3*time.Second, func() error { return w.portalAnswers(403) })
	if err != nil {
		return err
	}
	tell("denied %v after `nft flush ruleset`: seen by netlink, attested at once, decided anew", took)
	if took > time.Second {
		return fmt.Errorf("%v is longer than a second", took)
	}
	if _, err := w.visit("/"); err != nil {
		return err
	}
	if err := w.page("ZT-DEV-018"); err != nil {
		return err
	}
	return w.snap(n, "denied")
}

func (w *world) firewallOn(_ context.Context, n *narrator, tell tell) error {
	if err := w.firewall(true); err != nil {
		return err
	}
	if err := w.browser.Click("#check-again"); err != nil {
		return err
	}
	if err := w.browser.WaitFor(15*time.Second, "document.querySelector('#continue') && !document.querySelector('#continue').hidden"); err != nil {
		return err
	}
	tell("“check again” on the denial page measured and decided anew")
	path, err := w.browser.Picture(fmt.Sprintf("%02d-repaired", n.step))
	if err != nil {
		return err
	}
	n.Picture(path)
	if err := w.browser.Click("#continue"); err != nil {
		return err
	}
	if err := w.browser.WaitFor(10*time.Second, "document.body.innerText.includes('王小明')"); err != nil {
		return err
	}
	tell("the portal greets 王小明 again")
	return nil
}

// portalAnswers asks the portal with the browser's own cookie, without the
// browser.
func (w *world) portalAnswers(status int) error {
	return w.portalAnswersTo("GET", status)
}

func (w *world) portalAnswersTo(method string, status int) error {
	value, err := w.browser.Cookie(portalURL, sessionCookie)
	if err != nil {
		return err
	}
	got, err := w.from(w.net.Laptop, request{Method: method, URL: portalURL + "/", Cookie: sessionCookie + "=" + value, Accept: "text/html"})
	if err != nil {
		return err
	}
	if got.Status != status {
		return fmt.Errorf("%s got %d, not %d: %.300s", method, got.Status, status, got.Body)
	}
	return nil
}

// forgedEvidence plays somebody with root on the laptop.
func (w *world) forgedEvidence(_ context.Context, _ *narrator, tell tell) error {
	if err := w.agent.Stop(); err != nil {
		tell("the agent was stopped (%v)", err)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	out, err := lab.Run(w.at(w.net.Laptop, 0).Command(self, forgeVerb, w.path("agent", "state.json"), w.tpm.Device(), w.path("agent", "eventlog")))
	if err != nil {
		return err
	}
	var all []forged
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		return err
	}
	for _, f := range all {
		if f.Accepted || len(f.Codes) == 0 {
			return fmt.Errorf("%s: accepted %v, codes %v", f.What, f.Accepted, f.Codes)
		}
		tell("%-45s refused: %s", f.What, strings.Join(f.Codes, ", "))
	}
	if err := w.startAgent(); err != nil {
		return err
	}
	took, _, err := w.standing(20*time.Second, wire.StandingFresh)
	if err != nil {
		return err
	}
	tell("the true agent is believed again after %v", took)
	_, err = within(5*time.Second, func() error { return w.portalAnswers(200) })
	return err
}

// silence stops the agent: reads only once it is silent, nothing once its
// Evidence is stale.
func (w *world) silence(_ context.Context, n *narrator, tell tell) error {
	if err := w.portalAnswers(200); err != nil {
		return err
	}
	stopped := time.Now()
	_ = w.agent.Stop() // how it ends is told by what the portal answers
	if _, err := within(silentAfter+5*time.Second, func() error { return w.portalAnswersTo("POST", 403) }); err != nil {
		return err
	}
	tell("writes are denied %v after the agent stopped", time.Since(stopped).Round(100*time.Millisecond))
	if err := w.portalAnswers(200); err != nil {
		return fmt.Errorf("reads should still pass: %w", err)
	}
	tell("reads still pass")
	if _, err := within(4*interval, func() error { return w.portalAnswers(403) }); err != nil {
		return err
	}
	tell("reads are denied %v after: the Evidence is stale", time.Since(stopped).Round(100*time.Millisecond))
	if _, err := w.visit("/"); err != nil {
		return err
	}
	return w.snap(n, "stale")
}
