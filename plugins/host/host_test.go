//go:build linux

package host

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

var now = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

// program builds a plugin into a folder that only its owner can write. A name
// that starts with "odd-" is the ill-behaved plugin in testdata.
func program(t testing.TB, name string) Config {
	t.Helper()
	dir := t.TempDir()
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, name)
	source := "github.com/menshen-zt/menshen/plugins/" + name
	if strings.HasPrefix(name, "odd-") {
		source = "./testdata/odd"
	}
	copyFile(t, built(t, source), path)
	return Config{Name: name, Path: path, SHA256: digest(t, path), Cluster: wire.ClusterNetwork, Deadline: 2 * time.Second}
}

// builds keeps each program that was built, in a folder that TestMain removes.
var builds struct {
	sync.Mutex
	dir string
}

// built builds a program once, without cgo, as it is shipped.
func built(t testing.TB, source string) string {
	t.Helper()
	builds.Lock()
	defer builds.Unlock()
	path := filepath.Join(builds.dir, filepath.Base(source))
	if _, err := os.Stat(path); err == nil {
		return path
	}
	build := exec.Command("go", "build", "-o", path, source)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

func digest(t testing.TB, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// events remembers which plugins went up and down.
type events struct {
	mu   sync.Mutex
	list []string
	more chan struct{}
}

func (e *events) changed(plugin string, up bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, fmt.Sprint(plugin, " ", up))
	close(e.more)
	e.more = make(chan struct{})
}

// wait blocks until n events have happened.
func (e *events) wait(t *testing.T, n int) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		e.mu.Lock()
		have, more := len(e.list), e.more
		e.mu.Unlock()
		if have >= n {
			return
		}
		select {
		case <-more:
		case <-deadline:
			t.Fatalf("only %q happened", e.list)
		}
	}
}

func options(t testing.TB) (Options, *events) {
	t.Helper()
	e := &events{more: make(chan struct{})}
	runtimeDir, err := os.MkdirTemp("", "mp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(runtimeDir) })
	return Options{
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), RuntimeDir: runtimeDir,
		TrustedOwner: os.Geteuid(), Clock: func() time.Time { return now }, Changed: e.changed,
	}, e
}

func start(t testing.TB, o Options, plugins ...Config) *Host {
	t.Helper()
	h, err := Start(context.Background(), plugins, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

func seen(ip string) wire.Observation {
	return wire.Observation{Person: "p", Device: "d", At: now, IP: ip, ZoneMins: 480, Kind: wire.ObservedSignIn}
}

func pidOf(t *testing.T, h *Host) int {
	t.Helper()
	s := h.all()[0]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil {
		t.Fatal("the plugin is down")
	}
	return s.current.running().pid()
}

func TestARealPluginAnswers(t *testing.T) {
	o, _ := options(t)
	h := start(t, o, program(t, "networknovelty"))
	if v := h.Assess(t.Context(), seen("192.0.2.7"))[0]; !v.Abstained || v.Missing || v.Reasons[0].Code != reason.NoHistory {
		t.Errorf("without history: %+v", v)
	}
	early := seen("192.0.2.7")
	early.At = now.Add(-time.Hour)
	h.Observe(t.Context(), early)
	home, abroad := h.Assess(t.Context(), seen("192.0.2.7"))[0], h.Assess(t.Context(), seen("203.0.113.9"))[0]
	if home.LLR <= 0 || abroad.LLR >= 0 || home.Missing || abroad.Reasons[0].Code != reason.NetworkNew {
		t.Errorf("home %+v, abroad %+v", home, abroad)
	}
	if home.Plugin != "networknovelty" || home.Cluster != wire.ClusterNetwork || !home.ObservedAt.Equal(now) {
		t.Errorf("%+v", home)
	}
	if got := h.Registered()["networknovelty"]; got != wire.ClusterNetwork {
		t.Errorf("registered as %q", got)
	}
}

// A wrong program, wherever the lie sits, is never started.
func TestRefusedPrograms(t *testing.T) {
	good := program(t, "odd-fine")
	writable := program(t, "odd-fine")
	folder := program(t, "odd-fine")
	link := program(t, "odd-fine")
	if err := os.Chmod(writable.Path, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(folder.Path), 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(link.Path, link.Path+"-link"); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		change func(*Config)
		want   error
	}{
		"one bit of the checksum":  {func(c *Config) { c.SHA256 = strings.Repeat("0", 64) }, ErrChecksum},
		"no checksum":              {func(c *Config) { c.SHA256 = "" }, ErrConfig},
		"short checksum":           {func(c *Config) { c.SHA256 = c.SHA256[:62] }, ErrConfig},
		"writable program":         {func(c *Config) { *c = writable }, ErrWritable},
		"writable folder":          {func(c *Config) { *c = folder }, ErrWritable},
		"a link":                   {func(c *Config) { c.Path = link.Path + "-link" }, ErrConfig},
		"a folder":                 {func(c *Config) { c.Path = filepath.Dir(c.Path) }, ErrConfig},
		"nothing there":            {func(c *Config) { c.Path += "x" }, os.ErrNotExist},
		"relative path":            {func(c *Config) { c.Path = "odd-fine" }, ErrConfig},
		"path that climbs":         {func(c *Config) { c.Path = filepath.Dir(c.Path) + "/../x/odd-fine" }, ErrConfig},
		"name that climbs":         {func(c *Config) { c.Name = "../odd" }, ErrConfig},
		"unknown cluster":          {func(c *Config) { c.Cluster = "weather" }, ErrConfig},
		"settings that are a list": {func(c *Config) { c.Settings = "[1]" }, ErrConfig},
		"settings without an end":  {func(c *Config) { c.Settings = `{"a":"` + strings.Repeat("x", maxSettings) + `"}` }, ErrConfig},
		"no memory to speak of":    {func(c *Config) { c.MemoryBytes = 1 }, ErrConfig},
		"a relative path to read":  {func(c *Config) { c.ReadPaths = []string{"db"} }, ErrConfig},
		"a thousand paths to read": {func(c *Config) { c.ReadPaths = make([]string, maxReadPaths+1) }, ErrConfig},
		"endless deadline":         {func(c *Config) { c.Deadline = time.Hour }, ErrConfig},
	}
	for name, tt := range tests {
		c := good
		tt.change(&c)
		o, _ := options(t)
		if h, err := Start(t.Context(), []Config{c}, o); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
			if h != nil {
				h.Close()
			}
		}
	}
	o, _ := options(t)
	if _, err := Start(t.Context(), []Config{good, good}, o); !errors.Is(err, ErrConfig) {
		t.Errorf("registered twice: %v", err)
	}
}

func TestRefusedRuntimeFolders(t *testing.T) {
	c := program(t, "odd-fine")
	foreign, closed, file := t.TempDir(), filepath.Join(t.TempDir(), "closed"), filepath.Join(t.TempDir(), "file")
	if err := os.Chown(foreign, 1234, 1234); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{
		"another's": foreign, "a file": file, "unreachable for a plugin": filepath.Join(closed, "plugins"),
		"relative": "plugins", "too long for a socket": filepath.Join(os.TempDir(), strings.Repeat("x", 100)),
	} {
		o, _ := options(t)
		o.RuntimeDir = dir
		if h, err := Start(t.Context(), []Config{c}, o); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
			if h != nil {
				h.Close()
			}
		}
	}
	_ = os.Remove(filepath.Join(os.TempDir(), strings.Repeat("x", 100)))
}

// What a killed host left behind is cleared; what is not a plugin's stays.
func TestLeftSocketsAreCleared(t *testing.T) {
	o, _ := options(t)
	old, other := filepath.Join(o.RuntimeDir, "plugin-dir123"), filepath.Join(o.RuntimeDir, "mine")
	for _, dir := range []string{old, other} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	start(t, o, program(t, "odd-fine"))
	if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the old socket's folder: %v", err)
	}
	if _, err := os.Stat(other); err != nil {
		t.Errorf("what is not a plugin's: %v", err)
	}
}

func TestAnotherOwnersProgramIsRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("run as root: only root can give a file away")
	}
	c := program(t, "odd-fine")
	if err := os.Chown(c.Path, 1234, 1234); err != nil {
		t.Fatal(err)
	}
	o, _ := options(t)
	if _, err := Start(t.Context(), []Config{c}, o); !errors.Is(err, ErrWritable) {
		t.Errorf("got %v", err)
	}
}

// The launcher checks the very file that it executes, so a program that is
// exchanged after the host looked is not started.
func TestTheLauncherChecksAgain(t *testing.T) {
	c := program(t, "odd-fine")
	spec := launchSpec{Path: c.Path, SHA256: c.SHA256, Owners: []int{0, os.Geteuid()}, SocketDir: t.TempDir(), UID: nobody, GID: nobody, Memory: defaultMemory, HostPID: os.Getpid()}
	copyFile(t, "/bin/true", c.Path)
	if got := runLauncher(t, spec); !strings.Contains(got, "SHA-256") {
		t.Errorf("the launcher says %q", got)
	}
	spec.SHA256 = digest(t, c.Path)
	spec.HostPID = 1
	if got := runLauncher(t, spec); !strings.Contains(got, "host is gone") {
		t.Errorf("the launcher says %q", got)
	}
}

func runLauncher(t *testing.T, spec launchSpec) string {
	t.Helper()
	raw, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command("/proc/self/exe", "plugin-launch", string(raw))
	var stderr bytes.Buffer
	command.Stderr = &stderr
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	command.ExtraFiles = []*os.File{null}
	var exit *exec.ExitError
	if err := command.Run(); !errors.As(err, &exit) || exit.ExitCode() != exitLaunch {
		t.Errorf("the launcher ended with %v", err)
	}
	return stderr.String()
}

func TestLyingPluginsCountAsMissing(t *testing.T) {
	modes := map[string]string{
		"nan": reason.PluginNonsense, "inf": reason.PluginNonsense, "huge": reason.PluginNonsense, "sure": reason.PluginNonsense,
		"unsure": reason.PluginNonsense, "past": reason.PluginNonsense, "forever": reason.PluginNonsense, "both": reason.PluginNonsense,
		"chatty": reason.PluginNonsense, "code": reason.PluginNonsense, "area": reason.PluginNonsense, "argument": reason.PluginNonsense,
		"ownargument": reason.PluginNonsense, "ownunknown": reason.PluginNonsense, "officer": reason.PluginNonsense,
		"long": reason.PluginDown, "error": reason.PluginDown, "panic": reason.PluginDown,
	}
	c := program(t, "odd-fine")
	for mode, code := range modes {
		t.Run(mode, func(t *testing.T) {
			o, _ := options(t)
			c := renamed(t, c, "odd-"+mode)
			v := start(t, o, c).Assess(t.Context(), seen("192.0.2.7"))
			if len(v) != 1 || !v[0].Missing || v[0].LLR != 0 || v[0].Reasons[0].Code != code {
				t.Errorf("%+v", v)
			}
		})
	}
}

// renamed is the same program under another name.
func renamed(t *testing.T, c Config, name string) Config {
	t.Helper()
	path := filepath.Join(filepath.Dir(c.Path), name)
	if err := os.Link(c.Path, path); err != nil && !os.IsExist(err) {
		t.Fatal(err)
	}
	c.Path, c.Name = path, name
	return c
}

func TestPluginsThatNeverComeUp(t *testing.T) {
	c := program(t, "odd-fine")
	for _, mode := range []string{
		"name", "cluster", "address", "mute", "networkwanted", "version", "keeps", "retention", "eternal",
		"texts", "textcode", "texthtml", "texttwice", "textempty",
	} {
		t.Run(mode, func(t *testing.T) {
			o, e := options(t)
			o.StartTimeout = 2 * time.Second
			h := start(t, o, renamed(t, c, "odd-"+mode))
			if v := h.Assess(t.Context(), seen("192.0.2.7"))[0]; !v.Missing || v.Reasons[0].Code != reason.PluginDown {
				t.Errorf("%+v", v)
			}
			if len(e.list) != 0 {
				t.Errorf("told %q", e.list)
			}
		})
	}
}

func TestAKilledPluginIsMissingAndComesBack(t *testing.T) {
	o, e := options(t)
	o.HealthEvery = time.Hour // its end alone betrays it
	var taught sync.Map
	o.Replay = func(_ context.Context, send func([]wire.Observation) error) error {
		first := seen("192.0.2.7")
		first.At = now.Add(-time.Hour)
		taught.Store(time.Now(), true)
		return send([]wire.Observation{first})
	}
	h := start(t, o, program(t, "networknovelty"))
	before := h.Assess(t.Context(), seen("192.0.2.7"))[0]
	if before.Missing || before.Abstained {
		t.Fatalf("%+v", before)
	}
	killed := time.Now()
	if err := unix.Kill(pidOf(t, h), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	e.wait(t, 2) // up, down
	felt := time.Since(killed)
	if v := h.Assess(t.Context(), seen("192.0.2.7"))[0]; !v.Missing || v.Reasons[0].Code != reason.PluginDown {
		t.Errorf("after kill -9: %+v", v)
	}
	e.wait(t, 3)
	t.Logf("felt after %v, back after %v", felt, time.Since(killed))
	if after := h.Assess(t.Context(), seen("192.0.2.7"))[0]; after.Missing || after.LLR != before.LLR {
		t.Errorf("before %+v, after the restart %+v", before, after)
	}
}

// stopProcess returns when the kernel says that the process has stopped.
func stopProcess(t *testing.T, pid int) {
	t.Helper()
	if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for range 500 {
		if stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat"); err == nil && strings.Contains(string(stat), ") T ") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the process does not stop")
}

func TestAStoppedPluginIsLateAndThenReplaced(t *testing.T) {
	o, e := options(t)
	o.HealthEvery = time.Hour // only its answers betray it
	c := program(t, "networknovelty")
	c.Deadline = 100 * time.Millisecond
	h := start(t, o, c)
	pid := pidOf(t, h)
	stopProcess(t, pid)
	for range maxBadAnswers {
		began := time.Now()
		v := h.Assess(t.Context(), seen("192.0.2.7"))[0]
		if took := time.Since(began); took > time.Second {
			t.Errorf("waited %v for a stopped plugin", took)
		}
		if !v.Missing || v.Reasons[0].Code != reason.PluginLate {
			t.Errorf("%+v", v)
		}
	}
	e.wait(t, 3) // up, down, up
	if again := pidOf(t, h); again == pid {
		t.Error("the stopped process is still in use")
	}
}

func TestAQuietStoppedPluginIsFoundByItsPulse(t *testing.T) {
	o, e := options(t)
	o.HealthEvery = 50 * time.Millisecond
	h := start(t, o, program(t, "networknovelty"))
	stopProcess(t, pidOf(t, h))
	e.wait(t, 3)
}

func TestCloseLeavesNothingBehind(t *testing.T) {
	o, _ := options(t)
	h, err := Start(t.Context(), []Config{program(t, "networknovelty")}, o)
	if err != nil {
		t.Fatal(err)
	}
	pid := pidOf(t, h)
	h.Close()
	if err := unix.Kill(pid, 0); !errors.Is(err, unix.ESRCH) {
		t.Errorf("the process is still there: %v", err)
	}
	entries, err := os.ReadDir(o.RuntimeDir)
	if err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v %v", entries, err)
	}
	if v := h.Assess(context.Background(), seen("192.0.2.7"))[0]; !v.Missing {
		t.Errorf("after Close: %+v", v)
	}
}

func TestTheSandboxHolds(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("run as root: the plugin's own uid needs it")
	}
	// The host's supplementary groups must not reach the plugin.
	groups, err := syscall.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setgroups([]int{1, 2}); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Setgroups(groups) }()
	o, _ := options(t)
	h := start(t, o, program(t, "odd-escape"))
	v := h.Assess(t.Context(), seen("192.0.2.7"))[0]
	if v.Missing || len(v.Reasons) != 1 || len(v.Reasons[0].Args) != 0 {
		t.Errorf("what the plugin could do: %+v", v)
	}
	limits := h.Limits()
	if len(limits) != 1 || len(limits[0].Enforced) < 5 {
		t.Errorf("%+v", limits)
	}
	t.Logf("enforced %q, missing %q", limits[0].Enforced, limits[0].Missing)
	pid := pidOf(t, h)
	seen := procStatus(t, pid)
	for _, want := range []string{"Uid:\t65534\t65534\t65534\t65534", "Gid:\t65534", "NoNewPrivs:\t1", "Seccomp:\t2", "CapEff:\t0000000000000000", "Groups:\t \n"} {
		if !strings.Contains(seen, want) {
			t.Errorf("no %q in\n%s", want, seen)
		}
	}
}

func TestOnlyTheFeaturesAskedForArrive(t *testing.T) {
	o, _ := options(t)
	v := start(t, o, program(t, "odd-features")).Assess(t.Context(), seen("192.0.2.7"))[0]
	got := v.Reasons[0].Args
	if got["ip"] != "192.0.2.7" || got["device"] != "" || got["zone"] != "0" {
		t.Errorf("the plugin saw %v", got)
	}
}

// A host without root cannot give a plugin its own uid; it says so, and what
// the service manager gave it does not reach the plugin.
func TestAHostWithoutRoot(t *testing.T) {
	c := program(t, "networknovelty")
	raw, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	runtimeDir, err := os.MkdirTemp("", "mp")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(runtimeDir) }()
	if err := os.Chown(runtimeDir, 64999, 64999); err != nil {
		t.Fatal(err)
	}
	command := exec.Command("/proc/self/exe", "doomed-host", string(raw), runtimeDir)
	command.SysProcAttr = &syscall.SysProcAttr{
		Credential:  &syscall.Credential{Uid: 64999, Gid: 64999},
		AmbientCaps: []uintptr{unix.CAP_NET_BIND_SERVICE}, Pdeathsig: syscall.SIGKILL,
	}
	command.Stderr = t.Output()
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = command.Process.Kill(); _ = command.Wait() }()
	var pid int
	var limits []Limit
	if _, err := fmt.Fscan(out, &pid); err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(out).Decode(&limits); err != nil {
		t.Fatal(err)
	}
	if len(limits) != 1 || !strings.Contains(strings.Join(limits[0].Missing, " "), "own uid") {
		t.Errorf("%+v", limits)
	}
	host, plugin := procStatus(t, command.Process.Pid), procStatus(t, pid)
	if !strings.Contains(host, "CapAmb:\t0000000000000400") {
		t.Errorf("the host has no ambient capability to lose:\n%s", host)
	}
	for _, want := range []string{"Uid:\t64999", "NoNewPrivs:\t1", "Seccomp:\t2", "CapEff:\t0000000000000000", "CapPrm:\t0000000000000000", "CapInh:\t0000000000000000", "CapAmb:\t0000000000000000"} {
		if !strings.Contains(plugin, want) {
			t.Errorf("no %q in\n%s", want, plugin)
		}
	}
}

func procStatus(t *testing.T, pid int) string {
	t.Helper()
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// kill -9 of the host ends its plugins.
func TestPluginsDieWithTheHost(t *testing.T) {
	c := program(t, "networknovelty")
	raw, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	o, _ := options(t)
	command := exec.Command("/proc/self/exe", "doomed-host", string(raw), o.RuntimeDir)
	command.Stderr = t.Output()
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscan(out, &pid); err != nil || pid <= 0 {
		t.Fatalf("no plugin: %v", err)
	}
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait() // killed
	for range 200 {
		if stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat"); err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the plugin outlived its host")
}

// doomedHost runs a host in a process of its own. It says the plugin's pid and
// limits, then answers each line: "assess", or a registration to apply.
func doomedHost(args []string) int {
	var c Config
	if err := json.Unmarshal([]byte(args[0]), &c); err != nil {
		return 1
	}
	o := Options{
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)), TrustedOwner: os.Geteuid(), RuntimeDir: args[1], Launcher: []string{"/proc/self/exe", "plugin-launch"},
	}
	if len(args) > 2 {
		o.RootLauncher = args[2]
	}
	h, err := Start(context.Background(), []Config{c}, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	say := func(v any) {
		if err := json.NewEncoder(os.Stdout).Encode(v); err != nil {
			os.Exit(1)
		}
	}
	pid := func() int {
		s := h.all()[0]
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.current == nil {
			return 0
		}
		return s.current.running().pid()
	}
	say(pid())
	say(h.Limits())
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		if lines.Text() != "assess" {
			var next Config
			if err := json.Unmarshal(lines.Bytes(), &next); err != nil {
				return 1
			}
			changes, err := h.Apply(context.Background(), []Config{next})
			if err != nil || len(changes) != 1 || changes[0].Err != nil {
				fmt.Fprintln(os.Stderr, changes, err)
				return 1
			}
		}
		v := h.Assess(context.Background(), seen("192.0.2.7"))
		say(v[0])
		say(pid())
	}
	select {}
}
