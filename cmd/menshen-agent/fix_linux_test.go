package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// startRemedy runs the process of the remedies in the helper's namespace.
func (l *laptop) startRemedy() {
	l.t.Helper()
	c := exec.Command("nsenter", append([]string{fmt.Sprintf("--net=/proc/%d/ns/net", l.helper.Process.Pid)}, l.command(0, "remedy").Args...)...)
	c.Stderr, c.SysProcAttr = l.logFile, &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	l.must(c.Start())
	l.t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	l.eventually(5*time.Second, func() error { _, err := os.Stat(l.path("remedy/remedy.sock")); return err })
}

// TestAPersonRepairsTheFirewall: with real processes and the real packet
// filter, only what the administrator allowed, and root alone undoes it.
func TestAPersonRepairsTheFirewall(t *testing.T) {
	l := newLaptop(t)
	l.startHelper()
	l.configure("remedy: " + l.path("remedy/remedy.sock") + "\nremedies: [firewall]\n")
	if code, out := l.as(agentUID, "enrol", l.pdp.code()); code != 0 {
		t.Fatalf("enrol: %d %s", code, out)
	}
	l.startAgent()
	if first := l.attested(10 * time.Second); claimState(first, wire.ClaimFirewall) != wire.ClaimFail {
		t.Fatalf("%+v", first.Claims)
	}
	fix := func(uid uint32, want int, word string, args ...string) {
		t.Helper()
		if code, out := l.as(uid, append([]string{"fix", "--lang", "en"}, args...)...); code != want || !strings.Contains(out, word) {
			t.Errorf("fix %v of user %d: %d %s", args, uid, code, out)
		}
	}
	// next waits for Evidence that says this of the firewall.
	next := func(want wire.ClaimState) {
		t.Helper()
		for claimState(l.attested(10*time.Second), wire.ClaimFirewall) != want {
		}
	}
	fix(personUID, 1, reason.RemedyOff, "firewall")
	l.startRemedy()
	fix(personUID, 0, "not allowed", "--list")
	fix(personUID, 1, reason.RemedyNotAllowed, "time-sync")
	fix(personUID, 1, reason.RemedyUnknown, "disk-encryption")
	fix(otherUID, 1, reason.AgentNotRunning, "firewall")
	fix(personUID, 0, "Repaired: firewall", "firewall")
	next(wire.ClaimPass)
	fix(personUID, 0, "applied on", "--list")
	fix(personUID, 1, reason.RemedyNeedsRoot, "--undo", "firewall")
	fix(0, 0, "Undone: firewall", "--undo", "firewall")
	next(wire.ClaimFail)
	fix(0, 1, reason.RemedyNothing, "--undo", "firewall")
	l.must(os.Chmod(l.path("agent.yaml"), 0o666)) // #nosec G302 -- the fault that is tried
	if code, out := l.as(0, "remedy"); code != 78 || !strings.Contains(out, reason.RemedyConfig) {
		t.Errorf("a configuration that others write: %d %s", code, out)
	}
	if code, _ := l.as(personUID, "fix", "firewall", "time-sync"); code != 64 {
		t.Errorf("two claims: %d", code)
	}
}
