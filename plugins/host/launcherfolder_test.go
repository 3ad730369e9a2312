//go:build linux

package host

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Root gives away what lies in the launcher's folder: nobody else may be able
// to put another folder in its place.
func TestALaunchersFolderLiesAmongRoots(t *testing.T) {
	c := launcherConfig(t)
	above := filepath.Join(c.Dir, "above")
	if err := os.MkdirAll(filepath.Join(above, "launcher"), 0o711); err != nil {
		t.Fatal(err)
	}
	c.Dir = filepath.Join(above, "launcher")
	for _, tt := range []struct {
		name   string
		change func() error
	}{
		{"the host's", func() error { return os.Chown(above, theHost, theHost) }},
		{"one that others may write", func() error { return errors.Join(os.Chown(above, 0, 0), os.Chmod(above, 0o777)) }},
		{"a link", func() error {
			return errors.Join(os.Chmod(above, 0o711), os.Rename(above, above+"s"), os.Symlink(above+"s", above))
		}},
	} {
		if err := tt.change(); err != nil {
			t.Fatal(err)
		}
		if _, err := NewLauncher(c); !errors.Is(err, ErrConfig) || !errors.Is(err, ErrWritable) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// A plugin that closes its folder keeps nothing: the launcher is root without
// the right to pass by modes, as its unit has it.
func TestAClosedFolderIsCleared(t *testing.T) {
	c := launcherConfig(t)
	l, err := NewLauncher(c)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(c.Dir, "plugin-dir1")
	if err := os.Mkdir(dir, 0o710); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "socket"), nil, 0o600), os.Chown(dir, firstUID, theHost), os.Chmod(dir, 0)); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		some := [2]unix.CapUserData{{Effective: 1 << unix.CAP_CHOWN, Permitted: 1 << unix.CAP_CHOWN}}
		if err := unix.Capset(&header, &some[0]); err != nil {
			done <- err
			return
		}
		done <- l.clear(dir)
	}()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
}

// A registration that changes while plugins run gives no plugin another's user.
func TestTwoPluginsAreNeverOneUser(t *testing.T) {
	one, other := program(t, "odd-mute"), program(t, "odd-fine")
	one.UID, other.UID = theHost+7, 0
	c := launcherConfig(t)
	var all atomic.Pointer[[]Config]
	all.Store(&[]Config{one, other})
	c.Registered = func() ([]Config, error) { return *all.Load(), nil }
	socket := launcher(t, c)
	first := dialAs(t, socket, theHost, theHost, question("odd-mute", one.SHA256), 3)
	if got := first.heard(t); got.PID == 0 {
		t.Fatalf("%+v", got)
	}
	other.UID = one.UID
	all.Store(&[]Config{one, other})
	ask := func() launchAnswer {
		return dialAs(t, socket, theHost, theHost, question("odd-fine", other.SHA256), 3).heard(t)
	}
	if got := ask(); !strings.Contains(got.Refused, "still runs as uid") {
		t.Errorf("%+v", got)
	}
	if err := first.conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got := first.heard(t); got.Ended == "" {
		t.Fatalf("%+v", got)
	}
	if got := ask(); got.PID == 0 || syscall.Kill(got.PID, 0) != nil {
		t.Errorf("the user is free again: %+v", got)
	}
}

// Root writes to no socket, file or terminal of a caller's choice.
func TestTheLauncherTakesPipesAlone(t *testing.T) {
	c := program(t, "odd-mute")
	socket := launcher(t, launcherConfig(t, c))
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = errors.Join(unix.Close(pair[0]), unix.Close(pair[1]), file.Close(), reader.Close(), writer.Close())
	})
	for name, fd := range map[string]int{"a socket": pair[0], "a device": int(file.Fd())} {
		r := dialAs(t, socket, theHost, theHost, "", 0)
		rights := unix.UnixRights(int(writer.Fd()), fd, int(writer.Fd()))
		if _, _, err := r.conn.WriteMsgUnix([]byte(question("odd-mute", c.SHA256)), rights, nil); err != nil {
			t.Fatal(err)
		}
		if got := r.heard(t); !strings.Contains(got.Refused, "want pipes") || got.PID != 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
