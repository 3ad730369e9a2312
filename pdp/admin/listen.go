//go:build linux

package admin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// peer is the process at the other end, as the kernel knew it when it connected.
type peer struct {
	uid uint32
	pid int32
}

type peerKey struct{}

// withPeer is the server's ConnContext. A connection whose user is not known
// carries no peer, and is refused.
func withPeer(ctx context.Context, conn net.Conn) context.Context {
	p, err := peerOf(conn)
	if err != nil {
		return ctx
	}
	return context.WithValue(ctx, peerKey{}, p)
}

func peerOf(conn net.Conn) (peer, error) {
	c, ok := conn.(*net.UnixConn)
	if !ok {
		return peer{}, errNoPeer
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return peer{}, fmt.Errorf("%w: %w", errNoPeer, err)
	}
	var ucred *unix.Ucred
	var failed error
	if err := raw.Control(func(fd uintptr) {
		ucred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) // #nosec G115 -- a descriptor fits
	}); err != nil {
		return peer{}, fmt.Errorf("%w: %w", errNoPeer, err)
	}
	if failed != nil {
		return peer{}, fmt.Errorf("%w: %w", errNoPeer, failed)
	}
	return peer{uid: ucred.Uid, pid: ucred.Pid}, nil
}

// Listen opens the socket at path. A socket that a PDP left behind is
// replaced; one that somebody still answers on is an error, and so is
// anything else at path. With shared set users besides root may connect: the
// kernel says who they are, so the file's mode need not.
func Listen(path string, shared bool) (*net.UnixListener, error) {
	if err := clear(path); err != nil {
		return nil, err
	}
	mode := fs.FileMode(0o600)
	if shared {
		mode = 0o666
	}
	old := unix.Umask(0o177) // never open to others, not even for a moment
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	unix.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	if err := os.Chmod(path, mode); err != nil {
		return nil, errors.Join(fmt.Errorf("admin: %w", err), listener.Close())
	}
	return listener, nil
}

func clear(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("admin: %w", err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("admin: %s is there and is no socket", path)
	}
	if conn, err := net.DialTimeout("unix", path, time.Second); err == nil {
		return errors.Join(fmt.Errorf("admin: another PDP answers on %s", path), conn.Close())
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("admin: %w", err)
	}
	return nil
}
