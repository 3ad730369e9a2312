package proxies

import (
	"bytes"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// root is the repository's.
const root = "../.."

// shipped returns the folder of a proxy's configuration, as packages carry it.
func shipped(name string) string { return filepath.Join(root, "installer/proxies", name) }

// unavailable is the folder with what is shown while the PDP cannot be asked.
func unavailable(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(shipped("unavailable"))
	check(t, err)
	return dir + "/"
}

// configure copies the shipped files into dir, without the ending .example,
// with a site's values in the place of those that stand there. Each value that
// is replaced must stand there: what is tested is what ships.
func configure(t *testing.T, from, dir string, replaced map[string]string) {
	t.Helper()
	seen := map[string]bool{}
	check(t, filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text := string(raw)
		for old, fresh := range replaced {
			seen[old] = seen[old] || strings.Contains(text, old)
			text = strings.ReplaceAll(text, old, fresh)
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(dir, strings.TrimSuffix(name, ".example"))
		if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
			return err
		}
		return os.WriteFile(target, []byte(text), 0o600)
	}))
	for old := range replaced {
		if !seen[old] {
			t.Fatalf("%q stands nowhere in %s", old, from)
		}
	}
}

// program finds an executable on PATH, where Debian keeps its daemons, or where
// scripts/setup unpacks what would start a service if it were installed.
func program(t *testing.T, name string) string {
	t.Helper()
	own, err := filepath.Abs(filepath.Join(root, ".tools/bin", name))
	check(t, err)
	for _, candidate := range []string{name, "/usr/sbin/" + name, own} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	t.Fatalf("%s is not on this machine: run scripts/setup, or put it on the PATH", name)
	return ""
}

// run starts a proxy and ends it with the test. When the test fails it shows
// what the program said, there and in its logs.
func run(t *testing.T, logs []string, name string, args ...string) {
	t.Helper()
	out := &said{}
	command := exec.Command(program(t, name), args...) // #nosec G204 -- the proxy under test
	command.Stdout, command.Stderr = out, out
	check(t, command.Start())
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		ended := time.AfterFunc(5*time.Second, func() { _ = command.Process.Kill() })
		_ = command.Wait()
		ended.Stop()
		if !t.Failed() {
			return
		}
		t.Logf("%s: %s", name, out)
		for _, log := range logs {
			if raw, err := os.ReadFile(log); err == nil {
				t.Logf("%s: %s", filepath.Base(log), raw)
			}
		}
	})
}

// said is what a program writes.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) String() string { s.mu.Lock(); defer s.mu.Unlock(); return s.text.String() }

func write(t testing.TB, name string, content []byte) {
	t.Helper()
	check(t, os.WriteFile(name, content, 0o600))
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	return l.Addr().String()
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
