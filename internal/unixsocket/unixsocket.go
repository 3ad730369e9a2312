// Package unixsocket opens private Unix sockets and says who is at the other
// end. A stale socket of a process that is gone is replaced; a living one, a
// file of another kind, or a directory in which strangers could put a socket of
// their own is refused.
package unixsocket

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Errors that a caller may match.
var (
	// ErrUnsafeDirectory: others could put a socket in this one's place.
	ErrUnsafeDirectory = errors.New("unixsocket: the directory is writable by others")
	// ErrTaken: a living process answers at the path.
	ErrTaken = errors.New("unixsocket: another process answers there")
	// ErrNoPeer: this system does not say who is at the other end.
	ErrNoPeer = errors.New("unixsocket: the peer's user is not known on this system")
)

// Listen listens at path. The socket gets the mode, and then the owner unless
// that is negative; its directory is made if missing.
func Listen(path string, mode fs.FileMode, owner int) (net.Listener, error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o711); err != nil { // #nosec G301 -- callers must pass through; the socket has a mode of its own
		return nil, fmt.Errorf("unixsocket: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("unixsocket: %w", err)
	}
	if !safe(info) {
		return nil, fmt.Errorf("%w: %s has mode %04o, or another owner", ErrUnsafeDirectory, dir, info.Mode().Perm())
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("unixsocket: %w", err)
	}
	err = os.Chmod(path, mode) // before the owner: afterwards it is another user's file
	if err == nil && owner >= 0 {
		err = os.Lchown(path, owner, -1)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("unixsocket: %w", err), listener.Close())
	}
	return listener, nil
}

func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("unixsocket: %w", err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("unixsocket: %s is there and is no socket", path)
	}
	if conn, err := net.DialTimeout("unix", path, time.Second); err == nil {
		return errors.Join(fmt.Errorf("%w: %s", ErrTaken, path), conn.Close())
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("unixsocket: %w", err)
	}
	return nil
}
