package unixsocket

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

func TestListen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "s.sock")
	first, err := Listen(path, 0o600, -1)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if _, err := Listen(path, 0o600, -1); !errors.Is(err, ErrTaken) {
		t.Errorf("a second listener: %v", err)
	}
	first.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = first.Close()
	again, err := Listen(path, 0o600, -1)
	if err != nil {
		t.Fatalf("after a crash: %v", err)
	}
	_ = again.Close()
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path, 0o600, -1); err == nil {
		t.Error("a file was taken away")
	}
}

func TestADirectoryOpenToOthersIsRefused(t *testing.T) {
	dir := t.TempDir()
	for _, mode := range []os.FileMode{0o777, 0o775, 0o757} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := Listen(filepath.Join(dir, "s.sock"), 0o600, -1); !errors.Is(err, ErrUnsafeDirectory) {
			t.Errorf("%v: %v", mode, err)
		}
	}
}

func TestADirectoryOfAnotherUserIsRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("other users need root")
	}
	dir := t.TempDir()
	if err := os.Chown(dir, 4711, -1); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(filepath.Join(dir, "s.sock"), 0o600, 4711); !errors.Is(err, ErrUnsafeDirectory) {
		t.Errorf("root listens in a directory of user 4711: %v", err)
	}
}

func TestThePeerIsWhoConnected(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("other users need root")
	}
	dir, err := os.MkdirTemp("", "menshen-socket")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.Chmod(dir, 0o711); err != nil { // #nosec G302 -- another user passes through
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s.sock")
	listener, err := Listen(path, 0o600, 4711)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, 4711, 4711, 4711); errno != 0 {
			t.Error(errno)
		}
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Error(err)
			_ = listener.Close()
			return
		}
		_ = conn.Close()
	}()
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if uid, err := PeerUID(conn); err != nil || uid != 4711 {
		t.Errorf("%d, %v", uid, err)
	}
	one, other := net.Pipe()
	defer func() { _, _ = one.Close(), other.Close() }()
	if _, err := PeerUID(one); err == nil {
		t.Error("a pipe has no peer")
	}
}
