package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/agent/local"
	"github.com/menshen-zt/menshen/internal/swtpm"
)

// The users of a laptop.
const agentUID, personUID, otherUID = 64031, 64032, 64033

// binary builds the program once for all tests.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "menshen-agent")
	if err != nil {
		return "", err
	}
	out := filepath.Join(dir, "menshen-agent")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", out, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, said)
	}
	return out, errors.Join(os.Chmod(dir, 0o755), os.Chmod(out, 0o755))
})

func TestMain(m *testing.M) {
	code := m.Run()
	if out, err := binary(); err == nil {
		_ = os.RemoveAll(filepath.Dir(out))
	}
	os.Exit(code)
}

// laptop is a machine with a software TPM, a helper with a packet filter of its
// own, and an agent under a user of its own, all of them real processes.
type laptop struct {
	t       *testing.T
	binary  string
	dir     string
	tpm     *swtpm.TPM
	pdp     *pdp
	port    int
	helper  *exec.Cmd
	logFile *os.File
}

func newLaptop(t *testing.T) *laptop {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("the agent's and the helper's users need root")
	}
	out, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "menshen-laptop")
	if err != nil {
		t.Fatal(err)
	}
	l := &laptop{t: t, binary: out, dir: dir, port: freePort(t)}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	l.must(os.Chmod(dir, 0o755)) // #nosec G302 -- the users of the test pass through
	for name, mode := range map[string]os.FileMode{"state": 0o700, "run": 0o755} {
		l.must(os.Mkdir(l.path(name), mode))
		l.must(os.Chmod(l.path(name), mode))
		l.must(os.Chown(l.path(name), agentUID, agentUID))
	}
	l.must(os.Mkdir(l.path("tpm"), 0o711))
	ca, err := swtpm.NewCA(l.path("ca"))
	l.must(err)
	l.must(ca.Manufacture(t.Context(), l.path("tpm")))
	l.tpm, err = swtpm.Start(t.Context(), l.path("tpm"))
	l.must(err)
	t.Cleanup(func() { _ = l.tpm.Stop() })
	l.openTPM()
	roots, intermediates, err := ca.Pools()
	l.must(err)
	l.pdp = newPDP(t, roots, intermediates)
	l.logFile, err = os.Create(l.path("log"))
	l.must(err)
	l.configure("")
	return l
}

// openTPM lets the agent's user use the TPM, as the group tss does.
func (l *laptop) openTPM() {
	l.must(os.Chmod(l.path("tpm"), 0o711)) // #nosec G302 -- a way through
	l.must(os.Chown(l.tpm.Socket(), agentUID, agentUID))
}

func (l *laptop) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *laptop) path(name string) string { return filepath.Join(l.dir, name) }
func (l *laptop) state() string           { return l.path("state/state.json") }
func (l *laptop) control() string         { return l.path("run/agent.sock") }

func (l *laptop) configure(more string) {
	l.must(os.WriteFile(l.path("agent.yaml"), fmt.Appendf(nil,
		"tpm: %s\npdp: %s\nstate: %s\nhelper: %s\ncontrol: %s\nport: %d\nseat: none\nusers: [\"%d\"]\nlog:\n  level: debug\n%s",
		l.tpm.Device(), l.pdp.address(), l.state(), l.path("helper/helper.sock"), l.control(), l.port, personUID, more), 0o644)) // #nosec G306 -- no secrets
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr).Port
}

func (l *laptop) command(uid uint32, args ...string) *exec.Cmd {
	c := exec.Command(l.binary, append([]string{"--config", l.path("agent.yaml")}, args...)...)
	c.Dir = "/"
	c.Env = []string{"LANG=en_US.UTF-8"}
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}, Pdeathsig: syscall.SIGKILL}
	return c
}

// as runs a command to its end as a user.
func (l *laptop) as(uid uint32, args ...string) (code int, out string) {
	l.t.Helper()
	var said bytes.Buffer
	c := l.command(uid, args...)
	c.Stdout, c.Stderr = &said, &said
	l.must(c.Start())
	// A command that should have ended fails its test, and is not waited for.
	late := time.AfterFunc(30*time.Second, func() { _ = c.Process.Kill() })
	defer late.Stop()
	err := c.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		l.t.Fatal(err)
	}
	if exit != nil {
		return exit.ExitCode(), said.String()
	}
	return 0, said.String()
}

func (l *laptop) startHelper() {
	l.t.Helper()
	l.helper = l.command(0, "helper")
	l.helper.SysProcAttr.Cloneflags = syscall.CLONE_NEWNET
	l.helper.Stderr = l.logFile
	l.must(l.helper.Start())
	l.t.Cleanup(l.stopHelper)
	l.eventually(5*time.Second, func() error { _, err := os.Stat(l.path("helper/helper.sock")); return err })
}

func (l *laptop) stopHelper() {
	if l.helper != nil {
		_ = l.helper.Process.Kill()
		_ = l.helper.Wait()
		l.helper = nil
	}
}

// nft changes the packet filter in the helper's network namespace.
func (l *laptop) nft(script string) {
	l.t.Helper()
	c := exec.Command("nsenter", fmt.Sprintf("--net=/proc/%d/ns/net", l.helper.Process.Pid), "nft", "-f", "-")
	c.Stdin = strings.NewReader(script)
	if out, err := c.CombinedOutput(); err != nil {
		l.t.Fatalf("nft: %v\n%s", err, out)
	}
}

const firewallOn = "flush ruleset\ntable inet filter {\nchain input {\ntype filter hook input priority 0; policy drop;\nct state established,related accept\niif lo accept\n}\n}\n"

// running is the running agent.
type running struct {
	*exec.Cmd
	l       *laptop
	began   time.Time
	stopped bool
}

func (l *laptop) startAgent() *running {
	l.t.Helper()
	a := &running{Cmd: l.command(agentUID, "run"), l: l, began: time.Now()}
	a.Stdout, a.Stderr = l.logFile, l.logFile
	l.must(a.Start())
	l.t.Cleanup(a.stop)
	return a
}

func (a *running) stop() {
	if !a.stopped {
		a.stopped = true
		_ = a.Process.Signal(syscall.SIGTERM)
		if err := a.Wait(); err != nil {
			a.l.t.Errorf("the agent ended with %v\n%s", err, a.l.log())
		}
	}
}

func (l *laptop) log() string {
	raw, err := os.ReadFile(l.path("log"))
	l.must(err)
	return string(raw)
}

// enrolled is a laptop that is enrolled and whose agent runs.
func enrolled(t *testing.T) (*laptop, *running) {
	t.Helper()
	l := newLaptop(t)
	l.startHelper()
	l.nft(firewallOn)
	if code, out := l.as(agentUID, "enrol", l.pdp.code()); code != 0 {
		t.Fatalf("enrol: %d %s", code, out)
	}
	return l, l.startAgent()
}

// attested waits for the next Evidence that the PDP appraised.
func (l *laptop) attested(within time.Duration) appraised {
	l.t.Helper()
	select {
	case r := <-l.pdp.results:
		return r
	case <-time.After(within):
		l.t.Fatalf("no Evidence within %v\n%s", within, l.log())
		return appraised{}
	}
}

// quiet makes sure that no Evidence comes for a while.
func (l *laptop) quiet(d time.Duration) {
	l.t.Helper()
	select {
	case r := <-l.pdp.results:
		l.t.Errorf("Evidence that nothing asked for: %+v\n%s", r.Findings, l.log())
	case <-time.After(d):
	}
}

func (l *laptop) eventually(within time.Duration, try func() error) {
	l.t.Helper()
	var err error
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if err = try(); err == nil {
			return
		}
	}
	l.t.Fatalf("%v\n%s", err, l.log())
}

func (l *laptop) status() (code int, s local.Status) {
	l.t.Helper()
	out, err := l.command(agentUID, "status", "--json").Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	}
	decoder := json.NewDecoder(bytes.NewReader(out))
	decoder.DisallowUnknownFields()
	l.must(decoder.Decode(&s))
	return code, s
}

// resident is a process's memory in bytes, and the time it has computed.
func resident(t *testing.T, pid int) (rss int, cpu time.Duration) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmRSS:" {
			n, err := strconv.Atoi(f[1])
			if err != nil {
				t.Fatal(err)
			}
			rss = n << 10
		}
	}
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(tasks) == 0 {
		t.Fatalf("no threads: %v", err)
	}
	for _, task := range tasks {
		raw, err := os.ReadFile(task)
		if errors.Is(err, os.ErrNotExist) {
			continue // the thread ended meanwhile
		}
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.ParseInt(strings.Fields(string(raw))[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		cpu += time.Duration(n)
	}
	return rss, cpu
}
