//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/test/lab"
)

// suspicionPolicy asks for the key again at a low score as the baseline does,
// after 10 seconds and not after 10 minutes: nobody watches a demo for so long.
const suspicionPolicy = `@id("moda.suspicion")
@reason("ZT-POL-041")
@remedy("sign-in")
forbid (principal, action, resource)
when { context.trust.score < 40 && context.signIn.ageSeconds >= 10 };
`

// threats is what an agency's own job would fetch: a list of networks.
func (w *world) threats(networks ...string) error {
	folder := w.path("pdp", "lists")
	if err := os.MkdirAll(folder, 0o755); err != nil { // #nosec G301 -- no secrets
		return err
	}
	text := "# networks that attacks came from\n198.51.100.0/24\n"
	for _, n := range networks {
		text += n + "\n"
	}
	fresh := folder + "/networks.new"
	if err := os.WriteFile(fresh, []byte(text), 0o644); err != nil { // #nosec G306 -- no secrets
		return err
	}
	return os.Rename(fresh, folder+"/networks.txt")
}

// suspicion puts the laptop's address on a threat list: the person is asked for
// the key again, reads why, and touches it.
func (w *world) suspicion(_ context.Context, n *narrator, tell tell) error {
	before, err := w.lastTrust()
	if err != nil {
		return err
	}
	if err := w.threats(lab.LaptopIP + "/32"); err != nil {
		return err
	}
	asked := func() error {
		if _, err := w.visit("/"); err != nil {
			return err
		}
		return w.page("ZT-POL-041", "ZT-TRU-120")
	}
	took, err := within(25*time.Second, asked)
	if err != nil {
		return err
	}
	now, err := w.lastTrust()
	if err != nil {
		return err
	}
	tell("%v after %s came onto the list the portal closes; score %d → %d", took, lab.LaptopIP, before.Score, now.Score)
	if err := w.snap(n, "suspicious"); err != nil {
		return err
	}
	var id string
	if err := w.browser.Eval("document.getElementById('decision').textContent", &id); err != nil {
		return err
	}
	if err := w.suspected(id, tell); err != nil {
		return err
	}
	tell("within two minutes of a touch another one would prove nothing: waiting until they are over …")
	took, err = within(150*time.Second, func() error {
		if err := asked(); err != nil {
			return err
		}
		if !strings.HasPrefix(w.here(), pdpURL) {
			return errors.New("not asked for the key yet")
		}
		return nil
	})
	if err != nil {
		return err
	}
	tell("after %v the person is asked to touch the key again, and reads why", took.Round(time.Second))
	if err := w.snap(n, "asked-again"); err != nil {
		return err
	}
	if err := errors.Join(w.touchKey(), w.greeted(), w.portalAnswers(200)); err != nil {
		return err
	}
	tell("a touch of the key, and the portal greets 王小明")
	if err := w.appealed(n, id, tell); err != nil {
		return err
	}
	return w.threats()
}

// suspected has an officer look why.
func (w *world) suspected(id string, tell tell) error {
	why, err := w.ctl("decision", "why", id)
	if err != nil {
		return err
	}
	for line := range strings.Lines(why) {
		if strings.Contains(line, "threatlist") || strings.Contains(line, "ZT-TRU-120") || strings.Contains(line, "Trust") {
			tell("  │ %s", strings.TrimRight(line, "\n"))
		}
	}
	if !strings.Contains(why, "is on a list of addresses that attacks came from") {
		return fmt.Errorf("decision why does not say why: %s", why)
	}
	return nil
}

// appealed has the person object on their own page, and an officer answer.
func (w *world) appealed(n *narrator, decision string, tell tell) error {
	if err := w.browser.Open(pdpURL + "/me"); err != nil {
		return err
	}
	item := fmt.Sprintf("[data-decision=%q]", decision)
	if err := w.browser.WaitFor(10*time.Second, "document.querySelector('"+item+"')"); err != nil {
		return err
	}
	var open bool
	if err := w.browser.Eval("document.querySelector('"+item+" details').open = true", &open); err != nil {
		return err
	}
	if err := w.browser.Type(item+" textarea", "我在機關的會議室上網"); err != nil {
		return err
	}
	if err := w.browser.Click(item + " button[value=wrong]"); err != nil {
		return err
	}
	if err := w.browser.WaitFor(10*time.Second, "document.querySelector('"+item+" form').hidden"); err != nil {
		return err
	}
	out, err := w.ctl("appeal", "list", "--agency", "moda", "--json")
	if err != nil {
		return err
	}
	var filed []struct {
		ID   string `json:"id"`
		Text string `json:"text"`
	}
	if err := json.Unmarshal([]byte(out), &filed); err != nil || len(filed) != 1 {
		return fmt.Errorf("the officer sees %s: %w", out, errors.Join(errMissing, err))
	}
	tell("on their own page the person objects: %s", filed[0].Text)
	if _, err := w.ctl("appeal", "answer", filed[0].ID, "--agency", "moda", "--uphold", "--text", "會議室的位址誤列清單，已移除。造成不便，敬請見諒。"); err != nil {
		return err
	}
	if err := w.snap(n, "my-page"); err != nil {
		return err
	}
	if err := w.page("會議室的位址誤列清單"); err != nil {
		return err
	}
	tell("an officer sees the record beside it and answers; the answer stands on that page")
	_, err = w.visit("/")
	return err
}
