//go:build unix

package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// exposed reports whether the group or others have any right on the file, or
// whether it belongs to somebody who is neither this user nor root.
func exposed(info fs.FileInfo) bool {
	if info.Mode().Perm()&0o077 != 0 {
		return true
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return true
	}
	me := os.Geteuid()
	return me != 0 && int(owner.Uid) != me
}

// giveToDirectoryOwner lets root enrol for the agent's user: what root writes
// into that user's directory belongs to that user.
func giveToDirectoryOwner(file *os.File, dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || owner.Uid == 0 {
		return nil
	}
	return file.Chown(int(owner.Uid), int(owner.Gid))
}

func syncDir(dir string) error {
	d, err := os.Open(dir) // #nosec G304 -- the directory of the configured file
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	return d.Sync()
}

// Lock takes the state for this process until release is called; ErrLocked if
// another process has it. The lock lies on a file beside the state and ends
// with the process, however it ends.
func (f *File) Lock() (release func(), err error) {
	name := f.path + ".lock"
	lock, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o600) // #nosec G304 -- beside the configured file
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotWritten, err)
	}
	if err := giveToDirectoryOwner(lock, filepath.Dir(name)); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("%w: %w", ErrNotWritten, err)
	}
	err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		_ = lock.Close()
		return nil, ErrLocked
	}
	if err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("%w: %w", ErrNotWritten, err)
	}
	return func() { _ = lock.Close() }, nil
}
