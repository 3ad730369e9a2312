//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/test/firmware"
	"github.com/menshen-zt/menshen/test/lab"
)

// laptopName is what the laptop is called, by people and in reference values.
const laptopName = "LT-2231"

// powerOn switches the laptop's TPM off and on and boots a machine on it, as its
// firmware, shim, GRUB and Linux would; the log lies where the kernel would show it.
func (w *world) powerOn(m firmware.Machine) error {
	if _, err := firmware.PowerOn(w.ctx, w.tpm, m, w.path("agent", "eventlog")); err != nil {
		return err
	}
	// As the group tss may use /dev/tpmrm0, the agent's user may use this one.
	return os.Chown(w.tpm.Socket(), agentUID, agentUID)
}

// restart is a restart of the whole laptop: its agent ends, another machine
// boots, and the agent starts again.
func (w *world) restart(m firmware.Machine) error {
	_ = w.agent.Stop() // how it ends is told by what the PDP hears
	if err := w.powerOn(m); err != nil {
		return err
	}
	return w.startAgent()
}

// booted waits until the PDP thinks so of what started.
func (w *world) booted(want wire.Trustworthiness) (took time.Duration, d device, err error) {
	took, err = within(20*time.Second, func() error {
		if d, err = w.device(); err != nil {
			return err
		}
		r := d.Standing.Result
		if r.Vector.Executables != want {
			return fmt.Errorf("executables are %q, not %q: %v", r.Vector.Executables, want, codesOf(r))
		}
		return nil
	})
	return took, d, err
}

func codesOf(r wire.AttestationResult) []string {
	var all []string
	for _, f := range r.Findings {
		all = append(all, f.Reason.Code)
	}
	return all
}

// shows tells the lines of a command's output, and insists on some words.
func shows(tell tell, out string, words ...string) error {
	for line := range strings.Lines(out) {
		if text := strings.TrimRight(line, " \n"); text != "" {
			tell("%s", text)
		}
	}
	for _, word := range words {
		if !strings.Contains(out, word) {
			return fmt.Errorf("%q is not in: %s", word, out)
		}
	}
	return nil
}

// references learns what the pilot's laptop booted, and approves it.
func (w *world) references(_ context.Context, _ *narrator, tell tell) error {
	if _, err := w.ctl("device", "group", laptopName, "pilot", "--agency", "moda"); err != nil {
		return err
	}
	if err := w.learn(tell); err != nil {
		return err
	}
	took, d, err := w.booted(wire.Affirming)
	if err != nil {
		return err
	}
	tell("executables %s %v after the approval, without a word from the laptop", tier(d.Standing.Result.Vector.Executables), took)
	return nil
}

// learn makes a draft of what the pilot group booted last, and approves it.
func (w *world) learn(tell tell, approval ...string) error {
	out, err := w.ctl("reference", "learn", "laptops", "--group", "pilot", "--agency", "moda")
	if err != nil {
		return err
	}
	// The first values are many; a change is told whole.
	if lines := strings.Split(out, "\n"); len(lines) > 12 {
		tell("%d values learned from the pilot group, such as:", len(lines))
		out = strings.Join(slices.DeleteFunc(lines, func(l string) bool { return !strings.Contains(l, "PCR 4 ") && !strings.Contains(l, " db:") }), "\n")
	}
	if err := shows(tell, out); err != nil {
		return err
	}
	out, err = w.ctl(append([]string{"reference", "approve", "laptops", "--agency", "moda"}, approval...)...)
	if err != nil {
		return err
	}
	return shows(tell, out)
}

// kernelUpdate boots a newer kernel of the same vendor: no attack, and not known yet.
func (w *world) kernelUpdate(_ context.Context, _ *narrator, tell tell) error {
	w.pc = w.pc.UpdateKernel("6.12.57-amd64", "linux 6.12.57-1")
	if err := w.restart(w.pc); err != nil {
		return err
	}
	took, d, err := w.booted(wire.Warning)
	if err != nil {
		return errors.Join(err, w.Explain())
	}
	if !slices.Contains(codesOf(d.Standing.Result), reason.BootUnknownUpdate) {
		return fmt.Errorf("the update is typed as %v", codesOf(d.Standing.Result))
	}
	tell("executables %s %v after the restart", tier(d.Standing.Result.Vector.Executables), took)
	out, err := w.ctl("device", "boot", laptopName, "--agency", "moda")
	if err != nil {
		return err
	}
	if err := shows(tell, out, reason.BootUnknownUpdate, "signed by a trusted key"); err != nil {
		return err
	}
	if _, err := within(5*time.Second, func() error { return w.portalAnswers(200) }); err != nil {
		return err
	}
	tell("the normal portal stays open meanwhile")
	if err := w.learn(tell, "--next"); err != nil {
		return err
	}
	if took, _, err = w.booted(wire.Affirming); err != nil {
		return err
	}
	tell("approved as next: executables affirming after %v, and the old kernel still is", took)
	return nil
}

// bootTampered boots a loader of the thief's own, for which he put a key of his
// into the firmware's list.
func (w *world) bootTampered(_ context.Context, n *narrator, tell tell) error {
	m := w.pc
	m.DB = append(slices.Clone(m.DB), "Mallory")
	m.Shim = firmware.Program{Path: m.Shim.Path, Content: "a loader of Mallory's", Signer: "Mallory"}
	if err := w.restart(m); err != nil {
		return err
	}
	took, d, err := w.booted(wire.Contraindicated)
	if err != nil {
		return errors.Join(err, w.Explain())
	}
	tell("executables %s %v after the restart: %s", d.Standing.Result.Vector.Executables, took, strings.Join(codesOf(d.Standing.Result), ", "))
	if _, err := within(5*time.Second, func() error { return w.portalAnswers(403) }); err != nil {
		return err
	}
	out, err := w.ctl("device", "boot", laptopName, "--agency", "moda")
	if err != nil {
		return err
	}
	if err := shows(tell, out, reason.BootKeysChanged); err != nil {
		return err
	}
	if _, err := w.visit("/"); err != nil {
		return err
	}
	if err := w.snap(n, "tampered"); err != nil {
		return err
	}
	if err := w.restart(w.pc); err != nil {
		return err
	}
	if _, _, err := w.booted(wire.Affirming); err != nil {
		return err
	}
	took, err = within(5*time.Second, func() error { return w.portalAnswers(200) })
	if err != nil {
		return err
	}
	tell("the key removed and the vendor's loader back: open again %v later", took)
	return nil
}

// baseline prints how the laptop stands to the government's configuration
// baseline; where this machine's system has none, what is said then.
func (w *world) baseline(_ context.Context, _ *narrator, tell tell) error {
	out, err := lab.Run(w.at(w.net.Laptop, agentUID).Command(w.agentCommand("baseline", "--lang", "en")...))
	if out == "" {
		return err
	}
	// Whole it is some hundred lines: told are its head, the number of rules of
	// each outcome, and the first that fails with what to do.
	told := 0
	for line := range strings.Lines(out) {
		if line = strings.TrimRight(line, "\n"); line == "" || strings.HasPrefix(line, "  ") && told > 5 {
			continue
		}
		tell("%s", line)
		told++
	}
	if told < 3 {
		return fmt.Errorf("no report: %s", out)
	}
	return nil
}
