package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// exposed cannot be told from the mode on Windows: the directory's access list,
// which the installer sets, decides there.
func exposed(fs.FileInfo) bool { return false }

func giveToDirectoryOwner(*os.File, string) error { return nil }

// syncDir does nothing: Windows writes a rename through its own journal.
func syncDir(string) error { return nil }

// Lock takes the state for this process until release is called; ErrLocked if
// another process has it.
func (f *File) Lock() (release func(), err error) {
	lock, err := os.OpenFile(f.path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotWritten, err)
	}
	err = windows.LockFileEx(windows.Handle(lock.Fd()),
		windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, new(windows.Overlapped))
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		_ = lock.Close()
		return nil, ErrLocked
	}
	if err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("%w: %w", ErrNotWritten, err)
	}
	return func() { _ = lock.Close() }, nil
}
