package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/swtpm"
)

// expect runs a command and holds its exit code and its words to what the
// documentation says.
func (l *laptop) expect(code int, words string, uid uint32, args ...string) {
	l.t.Helper()
	if got, out := l.as(uid, args...); got != code || !strings.Contains(out, words) {
		l.t.Errorf("%v: exit code %d, want %d and %q in:\n%s", args, got, code, words, out)
	}
}

func (l *laptop) stateBytes() []byte {
	l.t.Helper()
	raw, err := os.ReadFile(l.state())
	l.must(err)
	return raw
}

func (l *laptop) enrol() {
	l.t.Helper()
	l.expect(0, "Enrolled as LT-2231", agentUID, "enrol", l.pdp.code(), "--lang", "en")
}

func TestUsage(t *testing.T) {
	l := newLaptop(t)
	l.expect(64, "unknown flag", agentUID, "run", "--nonsense")
	l.expect(64, "unknown command", agentUID, "nonsense")
	l.expect(1, reason.EnrolFingerprint, agentUID, "enrol")
	l.expect(1, reason.EnrolFingerprint, agentUID, "enrol", "--ca-fingerprint", "12:34")
	l.expect(64, "arg", agentUID, "enrol", "code", "code")
	l.expect(64, "--lang", agentUID, "version", "--lang", "fr")
	l.expect(0, "menshen-agent", otherUID, "version")
	l.expect(0, "good", otherUID, "validate", "--lang", "en")
	l.expect(0, "正確", otherUID, "validate", "--lang", "zh-TW")
}

// TestAWrongConfiguration ends with 78, on which a service manager stops, and
// names what is wrong.
func TestAWrongConfiguration(t *testing.T) {
	l := newLaptop(t)
	for more, words := range map[string]string{
		"tmp: x\n":                         "tmp",
		"allow_root: maybe\n":              "allow_root",
		"seat: logind\n":                   "seat",
		"helper_user: 1\nhelper_user: 2\n": "helper_user",
	} {
		l.configure(more)
		for _, command := range []string{"validate", "run", "helper", "status", "check", "doctor"} {
			l.expect(78, words, agentUID, command, "--lang", "en")
		}
	}
	for old, better := range map[string][2]string{
		"port: " + fmt.Sprint(l.port):            {"port: 0", "port"},
		"seat: none":                             {"seat: logind", "users"},
		"control: " + l.control():                {"control: agent.sock", "absolute"},
		"pdp: " + l.pdp.address():                {"pdp: pdp.example.gov.tw", "host:port"},
		fmt.Sprintf("%q", fmt.Sprint(personUID)): {"no-such-user", "no-such-user"},
	} {
		l.configure("")
		raw, err := os.ReadFile(l.path("agent.yaml"))
		l.must(err)
		l.must(os.WriteFile(l.path("agent.yaml"), bytes.Replace(raw, []byte(old), []byte(better[0]), 1), 0o644)) // #nosec G306 -- no secrets
		l.expect(78, better[1], agentUID, "validate", "--lang", "en")
	}
	l.expect(78, "no such file", agentUID, "validate", "--config", "/nonexistent")
	l.configure("")
	l.expect(78, reason.AgentRunsAsRoot, 0, "run")
}

// TestAFaultyState ends with 74 and leaves the file as it is.
func TestAFaultyState(t *testing.T) {
	l := newLaptop(t)
	l.enrol()
	whole := l.stateBytes()
	for name, c := range map[string]struct {
		spoil func()
		code  string
	}{
		"open to others": {func() { l.must(os.Chmod(l.state(), 0o644)) }, reason.StateExposed}, // #nosec G302 -- to be refused
		"cut":            {func() { l.must(os.WriteFile(l.state(), whole[:len(whole)/2], 0o600)) }, reason.StateCorrupt},
		"another CA": {func() {
			l.must(os.WriteFile(l.state(), bytes.Replace(whole, []byte(`"ca_certificate": "`), []byte(`"ca_certificate": "AAAA`), 1), 0o600))
		}, reason.StateCorrupt},
		"spoilt keys": {func() {
			l.must(os.WriteFile(l.state(), bytes.Replace(whole, []byte(`"ek":`), []byte(`"ok":`), 1), 0o600))
		}, reason.StateCorrupt},
		"root's": {func() { l.must(os.Chown(l.state(), 0, 0)) }, reason.StateUnreadable},
	} {
		t.Run(name, func(t *testing.T) {
			l.must(os.WriteFile(l.state(), whole, 0o600))
			l.must(os.Chmod(l.state(), 0o600))
			l.must(os.Chown(l.state(), agentUID, agentUID))
			c.spoil()
			before := l.stateBytes()
			l.expect(74, c.code, agentUID, "run")
			if !strings.Contains(name, " CA") && !strings.Contains(name, "keys") {
				l.expect(74, c.code, agentUID, "enrol", l.pdp.code(), "--replace")
			}
			if !bytes.Equal(before, l.stateBytes()) {
				t.Error("the file was changed")
			}
		})
	}
}

func TestNoTPM(t *testing.T) {
	l := newLaptop(t)
	l.expect(0, "p-384,yes,", agentUID, "ek")
	l.expect(0, "p-256,none,", agentUID, "ek")
	l.expect(0, "rsa-2048,yes,", agentUID, "ek")
	l.enrol()
	l.must(l.tpm.Stop())
	l.expect(69, reason.TPMNotFound, agentUID, "run")
	l.expect(69, reason.TPMNotFound, agentUID, "ek")
	l.expect(1, reason.TPMNotFound, agentUID, "doctor")
	l.must(os.Remove(l.state()))
	l.expect(69, reason.TPMNotFound, agentUID, "enrol", l.pdp.code())
}

// TestAReplacedTPM: a cloned disk, or a new mainboard. The agent goes on and
// says so, and enrolling anew mends it.
func TestAReplacedTPM(t *testing.T) {
	l := newLaptop(t)
	l.startHelper()
	l.enrol()
	l.must(l.tpm.Stop())
	ca, err := swtpm.NewCA(l.path("ca"))
	l.must(err)
	l.must(os.RemoveAll(l.path("tpm")))
	l.must(os.Mkdir(l.path("tpm"), 0o711))
	l.must(ca.Manufacture(t.Context(), l.path("tpm")))
	l.tpm, err = swtpm.Start(t.Context(), l.path("tpm"))
	l.must(err)
	l.openTPM()
	a := l.startAgent()
	l.eventually(10*time.Second, func() error {
		if code, s := l.status(); code != 2 || len(s.Problems) == 0 || s.Problems[0].Code != reason.TPMReplaced {
			return fmt.Errorf("%d %+v", code, s)
		}
		return nil
	})
	a.stop()
	l.expect(1, reason.AgentEnrolled, agentUID, "enrol", l.pdp.code())
	l.expect(0, "Enrolled", agentUID, "enrol", l.pdp.code(), "--replace", "--lang", "en")
	l.startAgent()
	l.attested(10 * time.Second)
}

// TestTheAgentWaitsForItsEnrolment: it runs before, and begins by itself.
func TestTheAgentWaitsForItsEnrolment(t *testing.T) {
	l := newLaptop(t)
	l.startHelper()
	l.startAgent()
	l.eventually(5*time.Second, func() error {
		if code, s := l.status(); code != 2 || s.Reason == nil || s.Reason.Code != reason.AgentNotEnrolled {
			return fmt.Errorf("%d %+v", code, s)
		}
		return nil
	})
	l.expect(0, "Enrolled", 0, "enrol", l.pdp.code(), "--lang", "en") // by root, for the agent
	l.attested(10 * time.Second)
}

func TestEnrolmentIsRefusedBeforeTheCodeIsSpent(t *testing.T) {
	l := newLaptop(t)
	l.expect(1, reason.EnrolCodeMalformed, agentUID, "enrol", "menshen1.x.y")
	other := newLaptop(t)
	l.expect(1, reason.PDPWrongCA, agentUID, "enrol", other.pdp.code()) // the code of another PDP
	l.expect(69, reason.PDPUnreachable, agentUID, "enrol", l.pdp.code(), "--pdp", "127.0.0.1:1")
	l.expect(78, reason.AgentConfiguration, agentUID, "enrol", l.pdp.code(), "--pdp", "nonsense")
	if _, err := os.Stat(l.state()); err == nil {
		t.Error("a state was written")
	}
	if l.pdp.device.ID != "" {
		t.Error("the PDP was asked to enrol")
	}
	c := l.command(agentUID, "enrol", "-", "--lang", "en")
	c.Stdin = strings.NewReader(l.pdp.code() + "\n")
	if out, err := c.CombinedOutput(); err != nil || !strings.Contains(string(out), "Enrolled") {
		t.Errorf("the code on standard input: %v %s", err, out)
	}
}

// TestAFullDisk: an enrolment does not begin, and an agent that runs goes on,
// says so, and loses nothing.
func TestAFullDisk(t *testing.T) {
	l := newLaptop(t)
	l.startHelper()
	dir := l.path("state")
	l.must(syscall.Mount("menshen-test", dir, "tmpfs", 0, "size=128k,mode=0700,uid=64031,gid=64031"))
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	ballast := filepath.Join(dir, "ballast")
	fill := func() { _ = os.WriteFile(ballast, bytes.Repeat([]byte("x"), 1<<20), 0o600) }
	fill()
	l.expect(73, reason.StateNotWritten, agentUID, "enrol", l.pdp.code())
	if l.pdp.enrolled() {
		t.Error("the code was spent")
	}
	l.must(os.Remove(ballast))
	l.enrol()
	fill()
	before := l.stateBytes()
	l.startAgent()
	l.attested(10 * time.Second)
	l.eventually(5*time.Second, func() error {
		_, s := l.status()
		for _, p := range s.Problems {
			if p.Code == reason.StateNotWritten {
				return nil
			}
		}
		return fmt.Errorf("%+v", s)
	})
	if !bytes.Equal(before, l.stateBytes()) {
		t.Error("the state changed on a full disk")
	}
	l.must(os.Remove(ballast))
	if _, out := l.as(agentUID, "check"); strings.Contains(out, reason.StateNotWritten) {
		t.Errorf("there is room again: %s", out)
	}
}

// TestKilledAgain: whatever moment the agent is killed at, its state is whole.
func TestKilledAgain(t *testing.T) {
	l := newLaptop(t)
	l.startHelper()
	l.enrol()
	l.pdp.set(func() { l.pdp.interval = 1 })
	for range 15 {
		a := l.command(agentUID, "run")
		l.must(a.Start())
		time.Sleep(time.Duration(60+10*(len(l.pdp.results)%7)) * time.Millisecond)
		l.must(a.Process.Kill())
		_ = a.Wait()
	}
	l.startAgent()
	for len(l.pdp.results) > 0 {
		<-l.pdp.results
	}
	l.attested(10 * time.Second)
}
