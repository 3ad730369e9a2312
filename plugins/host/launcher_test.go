//go:build linux

package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/menshen-zt/menshen/internal/wire"
)

const (
	theHost  = 64999
	firstUID = 61100
)

// as runs f on a thread that is another user.
func as(t *testing.T, uid, gid int, f func()) {
	t.Helper()
	done := make(chan syscall.Errno)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		for _, change := range []struct {
			call uintptr
			id   int
		}{{unix.SYS_SETRESGID, gid}, {unix.SYS_SETRESUID, uid}} {
			if _, _, errno := unix.RawSyscall(change.call, uintptr(change.id), uintptr(change.id), uintptr(change.id)); errno != 0 {
				done <- errno
				return
			}
		}
		f()
		done <- 0
	}()
	if errno := <-done; errno != 0 {
		t.Fatalf("another user: %v", errno)
	}
}

func launcherConfig(t *testing.T, plugins ...Config) LauncherConfig {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("run as root: the launcher needs it")
	}
	dir, err := os.MkdirTemp("", "ml")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return LauncherConfig{
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Dir: dir, UID: theHost, GID: theHost, FirstUID: firstUID, UIDs: 4,
		Registered: func() ([]Config, error) { return plugins, nil }, Clock: time.Now,
	}
}

// launcher runs one in this process and returns its socket.
func launcher(t *testing.T, c LauncherConfig) string {
	t.Helper()
	l, err := NewLauncher(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if left, err := os.ReadDir(c.Dir); err != nil || len(left) != 0 {
			t.Errorf("left behind: %v %v", left, err)
		}
	})
	socket := filepath.Join(c.Dir, LauncherSocket)
	for range 500 {
		if info, err := os.Stat(socket); err == nil && info.Mode().Perm() == 0o660 {
			return socket
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("no socket")
	return ""
}

// hostProcess is a host without root in a process of its own.
type hostProcess struct {
	command *exec.Cmd
	in      io.WriteCloser
	out     *json.Decoder
	pid     int // of its plugin
	limits  []Limit
}

func startHostProcess(t *testing.T, c Config, socket string) *hostProcess {
	t.Helper()
	raw, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	runtimeDir, err := os.MkdirTemp("", "mp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(runtimeDir) })
	if err := os.Chown(runtimeDir, theHost, theHost); err != nil {
		t.Fatal(err)
	}
	p := &hostProcess{command: exec.Command("/proc/self/exe", "doomed-host", string(raw), runtimeDir, socket)}
	p.command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: theHost, Gid: theHost}, Pdeathsig: syscall.SIGKILL}
	p.command.Stderr = t.Output()
	out, err := p.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if p.in, err = p.command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	p.out = json.NewDecoder(out)
	if err := errors.Join(p.out.Decode(&p.pid), p.out.Decode(&p.limits)); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *hostProcess) kill() {
	_ = p.command.Process.Kill() // it may have been killed
	_ = p.command.Wait()
}

// ask sends a line and returns the verdict, and the plugin's pid after it.
func (p *hostProcess) ask(t *testing.T, line string) (v wire.Verdict, pid int) {
	t.Helper()
	if _, err := fmt.Fprintln(p.in, line); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(p.out.Decode(&v), p.out.Decode(&pid)); err != nil {
		t.Fatal(err)
	}
	return v, pid
}

// gone waits until a process has ended.
func gone(t *testing.T, pid int) {
	t.Helper()
	for range 500 {
		if stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat"); err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("process %d still runs", pid)
}

// A host without root has each plugin run as a user of its own; the plugin is
// exchanged by it, and dies with it.
func TestPluginsOfARootLauncher(t *testing.T) {
	c := program(t, "odd-escape")
	config := launcherConfig(t, c)
	var registered atomic.Pointer[Config]
	registered.Store(&c)
	config.Registered = func() ([]Config, error) { return []Config{*registered.Load()}, nil }
	socket := launcher(t, config)
	p := startHostProcess(t, c, socket)
	if len(p.limits) != 1 || !slices.Contains(p.limits[0].Enforced, fmt.Sprint("own uid ", firstUID)) {
		t.Errorf("%+v", p.limits)
	}
	status := procStatus(t, p.pid)
	for _, want := range []string{fmt.Sprintf("Uid:\t%d\t%[1]d\t%[1]d\t%[1]d", firstUID), fmt.Sprintf("Gid:\t%d", firstUID), "NoNewPrivs:\t1", "Seccomp:\t2", "CapEff:\t0000000000000000", "CapPrm:\t0000000000000000", "Groups:\t \n"} {
		if !strings.Contains(status, want) {
			t.Errorf("no %q in\n%s", want, status)
		}
	}
	if v, _ := p.ask(t, "assess"); v.Missing || len(v.Reasons) != 1 || len(v.Reasons[0].Args) != 0 {
		t.Errorf("what the plugin could do: %+v", v)
	}
	folders, err := filepath.Glob(filepath.Join(config.Dir, "plugin-dir*"))
	if err != nil || len(folders) != 1 {
		t.Fatalf("%q %v", folders, err)
	}
	info, err := os.Stat(folders[0])
	if err != nil {
		t.Fatal(err)
	}
	if stat := info.Sys().(*syscall.Stat_t); info.Mode().Perm() != 0o710 || stat.Uid != firstUID || stat.Gid != theHost {
		t.Errorf("the socket's folder is %v of %d:%d", info.Mode(), stat.Uid, stat.Gid)
	}
	as(t, firstUID+1, firstUID+1, func() {
		if _, err := os.ReadDir(folders[0]); !errors.Is(err, os.ErrPermission) {
			t.Errorf("another plugin's user sees the socket: %v", err)
		}
	})
	other := otherBytes(t, c)
	registered.Store(&other)
	raw, err := json.Marshal(other)
	if err != nil {
		t.Fatal(err)
	}
	v, pid := p.ask(t, string(raw))
	if v.Missing || pid == p.pid || !strings.Contains(procStatus(t, pid), fmt.Sprintf("Uid:\t%d\t", firstUID+1)) {
		t.Errorf("after the exchange: %+v", v)
	}
	gone(t, p.pid)
	p.kill()
	gone(t, pid)
}

// kill -9 of the launcher ends the plugins, too. This one has no more rights
// than its unit gives it.
func TestPluginsDieWithTheirLauncher(t *testing.T) {
	c := program(t, "odd-fine")
	config := launcherConfig(t)
	raw, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command("setpriv", "--no-new-privs", "--bounding-set=-all,+setuid,+setgid,+kill,+chown", self, "doomed-launcher", string(raw), config.Dir)
	command.Stderr = t.Output()
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(config.Dir, LauncherSocket)
	var line string
	if _, err := fmt.Fscanln(out, &line); err != nil {
		t.Fatal(err)
	}
	p := startHostProcess(t, c, socket)
	if p.pid == 0 {
		t.Fatal("no plugin")
	}
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait() // killed
	gone(t, p.pid)
	if v, _ := p.ask(t, "assess"); !v.Missing {
		t.Errorf("%+v", v)
	}
}

// doomedLauncher runs a launcher in a process of its own and says when it is ready.
func doomedLauncher(args []string) int {
	var c Config
	if err := json.Unmarshal([]byte(args[0]), &c); err != nil {
		return 1
	}
	l, err := NewLauncher(LauncherConfig{
		Logger: slog.New(readyOn{slog.NewTextHandler(os.Stderr, nil)}), Dir: args[1], UID: theHost, GID: theHost, FirstUID: firstUID, UIDs: 4,
		Registered: func() ([]Config, error) { return []Config{c}, nil }, Clock: time.Now,
	})
	if err == nil {
		err = l.Run(context.Background())
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// readyOn prints a line when the launcher says that it is ready.
type readyOn struct{ slog.Handler }

func (r readyOn) Handle(ctx context.Context, record slog.Record) error {
	if strings.Contains(record.Message, "ready") {
		fmt.Println("ready")
	}
	return r.Handler.Handle(ctx, record)
}

// raw is a caller who says what he likes.
type raw struct {
	conn *net.UnixConn
	err  *os.File // the plugin's standard error
}

func dialAs(t *testing.T, socket string, uid, gid int, packet string, descriptors int) raw {
	t.Helper()
	var r raw
	as(t, uid, gid, func() {
		conn, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: socket, Net: "unixpacket"})
		if err != nil {
			t.Errorf("dial: %v", err)
			return
		}
		r.conn = conn
	})
	if r.conn == nil {
		t.FailNow()
	}
	t.Cleanup(func() { _ = r.conn.Close() })
	if packet == "" {
		return r
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.err = reader
	t.Cleanup(func() { _ = reader.Close() })
	fds := slices.Repeat([]int{int(writer.Fd())}, descriptors)
	_, _, _ = r.conn.WriteMsgUnix([]byte(packet), unix.UnixRights(fds...), nil) // who is refused hears nothing
	_ = writer.Close()
	return r
}

// heard is what the caller is told; empty if nothing.
func (r raw) heard(t *testing.T) launchAnswer {
	t.Helper()
	if err := r.conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	answer, err := readAnswer(r.conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the launcher neither answers nor hangs up")
	}
	return answer
}

func question(name, sha string) string { return fmt.Sprintf(`{"name":%q,"sha256":%q}`, name, sha) }

// What a caller says chooses nothing but a name.
func TestTheLauncherRefuses(t *testing.T) {
	c := program(t, "odd-mute")
	changed, mine, chosen := program(t, "odd-mute"), c, c
	changed.Name, mine.Name, chosen.Name = "changed", "mine", "chosen"
	mine.UID, chosen.UID = theHost, firstUID
	copyFile(t, "/bin/true", changed.Path)
	config := launcherConfig(t, c, changed, mine, chosen)
	config.patience = 200 * time.Millisecond
	socket := launcher(t, config)
	for name, tt := range map[string]struct {
		packet      string
		descriptors int
		want        string
	}{
		"a name that is not registered": {question("sh", c.SHA256), 3, "no plugin of that name"},
		"a path for a name":             {question("../../../bin/sh", c.SHA256), 3, "no plugin of that name"},
		"another program":               {question("odd-mute", strings.Repeat("0", 64)), 3, "another program"},
		"a path of its own":             {`{"name":"odd-mute","sha256":"` + c.SHA256 + `","path":"/bin/sh"}`, 3, "not a question"},
		"a user of its own":             {`{"name":"odd-mute","sha256":"` + c.SHA256 + `","uid":0}`, 3, "not a question"},
		"two questions":                 {question("odd-mute", c.SHA256) + question("odd-mute", c.SHA256), 3, "not a question"},
		"no question":                   {"\x00", 3, "not a question"},
		"a question without an end":     {`{"name":"` + strings.Repeat("x", maxPacket), 3, "not a question"},
		"no descriptors":                {question("odd-mute", c.SHA256), 0, "three descriptors"},
		"too many descriptors":          {question("odd-mute", c.SHA256), 9, "three descriptors"},
		"the host's own user":           {question("mine", c.SHA256), 3, "the host's user"},
		"a user who is given to others": {question("chosen", c.SHA256), 3, "chosen for others"},
	} {
		if got := dialAs(t, socket, theHost, theHost, tt.packet, tt.descriptors).heard(t); !strings.Contains(got.Refused, tt.want) || got.PID != 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
	for name, uid := range map[string]int{"a stranger of the host's group": theHost + 1, "root": 0} {
		if got := dialAs(t, socket, uid, theHost, question("odd-mute", c.SHA256), 3).heard(t); got != (launchAnswer{}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	as(t, theHost+1, theHost+1, func() {
		if conn, err := net.Dial("unixpacket", socket); err == nil {
			_ = conn.Close()
			t.Error("a stranger reaches the socket")
		}
	})
	r := dialAs(t, socket, theHost, theHost, question("changed", changed.SHA256), 3)
	first, last := r.heard(t), r.heard(t)
	said, err := io.ReadAll(r.err)
	if first.PID == 0 || last.Ended == "" || err != nil || !strings.Contains(string(said), "SHA-256") {
		t.Errorf("a program that was exchanged: %+v %+v %q %v", first, last, said, err)
	}
	if got := dialAs(t, socket, theHost, theHost, "", 0).heard(t); !strings.Contains(got.Refused, "timeout") {
		t.Errorf("one who says nothing: %+v", got)
	}
}

// Callers without an end find the launcher bounded, and it serves on.
func TestTheLauncherIsBounded(t *testing.T) {
	c, short := program(t, "odd-mute"), program(t, "odd-fine")
	copyFile(t, "/bin/true", short.Path)
	short.SHA256 = digest(t, short.Path)
	config := launcherConfig(t, c, short)
	socket := launcher(t, config)
	for range maxStarts {
		r := dialAs(t, socket, theHost, theHost, question("odd-fine", short.SHA256), 3)
		if first, last := r.heard(t), r.heard(t); first.PID == 0 || last.Ended == "" {
			t.Fatalf("%+v %+v", first, last)
		}
	}
	for range 50 {
		if got := dialAs(t, socket, theHost, theHost, question("odd-fine", short.SHA256), 3).heard(t); !strings.Contains(got.Refused, "was started") {
			t.Fatalf("%+v", got)
		}
	}
	var silent []raw
	for range 2 * maxAskers {
		silent = append(silent, dialAs(t, socket, theHost, theHost, "", 0))
	}
	for _, s := range silent[maxAskers:] {
		if got := s.heard(t); got != (launchAnswer{}) {
			t.Errorf("one too many: %+v", got)
		}
	}
	for _, s := range silent[:maxAskers] {
		_ = s.conn.CloseWrite()
		s.heard(t) // it has been answered now
	}
	var living []raw
	for range maxLivesEach {
		r := dialAs(t, socket, theHost, theHost, question("odd-mute", c.SHA256), 3)
		if got := r.heard(t); got.PID == 0 {
			t.Fatalf("%+v", got)
		}
		living = append(living, r)
	}
	if got := dialAs(t, socket, theHost, theHost, question("odd-mute", c.SHA256), 3).heard(t); !strings.Contains(got.Refused, "runs 2 times") {
		t.Errorf("%+v", got)
	}
	if err := living[0].conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got := living[0].heard(t); got.Ended == "" {
		t.Errorf("the caller hung up: %+v", got)
	}
}

func TestLaunchersThatAreRefused(t *testing.T) {
	for name, change := range map[string]func(*LauncherConfig){
		"for root":          func(c *LauncherConfig) { c.UID = 0 },
		"for root's group":  func(c *LauncherConfig) { c.GID = 0 },
		"no users":          func(c *LauncherConfig) { c.UIDs = 0 },
		"root as a plugin":  func(c *LauncherConfig) { c.FirstUID = 0 },
		"somebody's user":   func(c *LauncherConfig) { c.FirstUID = 1 },
		"users beyond all":  func(c *LauncherConfig) { c.FirstUID = maxLauncherID },
		"a relative folder": func(c *LauncherConfig) { c.Dir = "plugins" },
		"too long a folder": func(c *LauncherConfig) { c.Dir = "/" + strings.Repeat("x", maxSocketPath) },
		"no registration":   func(c *LauncherConfig) { c.Registered = nil },
		"another's folder": func(c *LauncherConfig) {
			if err := os.Chown(c.Dir, theHost, theHost); err != nil {
				t.Fatal(err)
			}
		},
	} {
		c := launcherConfig(t)
		change(&c)
		if _, err := NewLauncher(c); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
