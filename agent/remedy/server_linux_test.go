package remedy

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// serving runs the process in a folder that other users can pass through.
func serving(t *testing.T, change func(*Config)) (*Client, Config) {
	t.Helper()
	c := machine(t)
	dir, err := os.MkdirTemp("", "menshen-remedy")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil { // #nosec G302 -- other users connect here
		t.Fatal(err)
	}
	c.Socket = filepath.Join(dir, "remedy.sock")
	change(&c)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, c) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	client := NewClient(c.Socket)
	for range 1000 {
		if _, err := client.List(t.Context()); err == nil {
			return client, c
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("it does not answer")
	return nil, c
}

func TestTheProcessAnswers(t *testing.T) {
	client, c := serving(t, func(c *Config) { c.Allowed = []Name{AutoUpdates} })
	if err := client.Apply(t.Context(), AutoUpdates); err != nil {
		t.Fatal(err)
	}
	states, err := client.List(t.Context())
	if err != nil || len(states) != len(Names()) || !states[1].Applied || states[0].Allowed {
		t.Errorf("%+v, %v", states, err)
	}
	if err := client.Apply(t.Context(), Firewall); !errors.Is(err, ErrNotAllowed) {
		t.Errorf("not allowed: %v", err)
	}
	if err := client.Undo(t.Context(), AutoUpdates); err != nil {
		t.Error(err)
	}
	if err := client.Undo(t.Context(), AutoUpdates); !errors.Is(err, ErrNothing) {
		t.Errorf("nothing to undo: %v", err)
	}
	_ = os.Remove(filepath.Join(c.Root, aptUpgrader))
	if err := client.Apply(t.Context(), AutoUpdates); !errors.Is(err, ErrFailed) || !strings.Contains(err.Error(), "unattended-upgrades") {
		t.Errorf("failed: %v", err)
	}
	if err := NewClient(c.Socket+"x").Apply(t.Context(), Firewall); !errors.Is(err, ErrUnreachable) {
		t.Errorf("nobody: %v", err)
	}
}

// said sends one line as a user and returns what comes back.
func asUser(t *testing.T, uid int, socket, line string) string {
	t.Helper()
	answered := make(chan string)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		defer close(answered)
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); errno != 0 {
			t.Errorf("setresuid: %v", errno)
			return
		}
		conn, err := net.Dial("unix", socket)
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = conn.Write([]byte(line + "\n"))
		back, _ := io.ReadAll(conn)
		answered <- string(back)
	}()
	return <-answered
}

// TestOnlyTheAgentIsAnswered, and it cannot name more than a remedy.
func TestOnlyTheAgentIsAnswered(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("other users need root")
	}
	_, c := serving(t, func(*Config) {})
	const apply = `{"v":1,"do":"apply","remedy":"automatic-updates"}`
	if got := asUser(t, c.AgentUID+1, c.Socket, apply); got != "" {
		t.Errorf("a stranger is told %q", got)
	}
	// Were the socket's mode wrong, the peer's user would still be looked at.
	if err := os.Chmod(c.Socket, 0o666); err != nil { // #nosec G302 -- the fault that is tried
		t.Fatal(err)
	}
	if got := asUser(t, c.AgentUID+1, c.Socket, apply); got != "" {
		t.Errorf("a stranger is told %q", got)
	}
	file := filepath.Join(c.Root, aptFolder, aptFile)
	if _, err := os.Stat(file); err == nil {
		t.Error("a stranger had it applied")
	}
	for line, problem := range map[string]Problem{
		`{"v":1,"do":"run","remedy":"firewall"}`:                                    ProblemQuestion,
		`{"v":2,"do":"apply","remedy":"automatic-updates"}`:                         ProblemQuestion,
		`{"v":1,"do":"apply","remedy":"automatic-updates","path":"/etc/sudoers.d"}`: ProblemQuestion,
		`{"v":1,"do":"apply","remedy":"../firewall"}`:                               ProblemNotAllowed,
		`{"v":1,"do":"undo","remedy":"automatic-updates"}`:                          ProblemNotAllowed,
		`x`: ProblemQuestion,
	} {
		var a answer
		if err := json.Unmarshal([]byte(asUser(t, c.AgentUID, c.Socket, line)), &a); err != nil || a.Problem != problem {
			t.Errorf("%s: %+v, %v", line, a, err)
		}
	}
	if got := asUser(t, c.AgentUID, c.Socket, strings.Repeat("x", maxQuestion)); got != "" {
		t.Errorf("a long line: %q", got)
	}
	if got := asUser(t, c.AgentUID, c.Socket, apply); got != "{}\n" {
		t.Errorf("the agent: %q", got)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}

// TestNobodyAnswersInItsPlace: a process of another user at the socket is not
// believed.
func TestNobodyAnswersInItsPlace(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("other users need root")
	}
	dir := t.TempDir()
	socket := filepath.Join(dir, "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = readLine(conn, maxQuestion)
			_, _ = conn.Write([]byte("{}\n"))
			_ = conn.Close()
		}
	}()
	if err := NewClient(socket).Apply(t.Context(), Firewall); err != nil {
		t.Errorf("root's own: %v", err)
	}
	open, err := os.MkdirTemp("", "menshen-remedy")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(open) }()
	if err := impostor(t, filepath.Join(open, "s")); !errors.Is(err, ErrUnreachable) {
		t.Errorf("an impostor: %v", err)
	}
}

// impostor listens as another user; the kernel notes who called listen.
func impostor(t *testing.T, socket string) error {
	t.Helper()
	if err := os.Chmod(filepath.Dir(socket), 0o777); err != nil { // #nosec G302 -- an impostor needs to write here
		t.Fatal(err)
	}
	listening := make(chan net.Listener)
	go func() {
		runtime.LockOSThread()
		defer close(listening)
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, 64055, 64055, 64055); errno != 0 {
			t.Errorf("setresuid: %v", errno)
			return
		}
		l, err := net.Listen("unix", socket)
		if err != nil {
			t.Error(err)
			return
		}
		listening <- l
	}()
	l := <-listening
	if l == nil {
		t.FailNow()
	}
	defer func() { _ = l.Close() }()
	go func() {
		if conn, err := l.Accept(); err == nil {
			_, _ = conn.Write([]byte("{}\n"))
			_ = conn.Close()
		}
	}()
	return NewClient(socket).Apply(t.Context(), Firewall)
}
