package bolt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// pageSize is fixed, so that a file can be read on any host.
const pageSize = 4096

// bucket holds every record; its name is the version of the file's layout.
const bucket = "menshen/1"

const lockPoll = 20 * time.Millisecond

// ErrLocked is returned when another process has the file open.
var ErrLocked = errors.New("bolt: another process has the store open")

func bboltOptions(open func(string, int, os.FileMode) (*os.File, error)) *bbolt.Options {
	return &bbolt.Options{
		Timeout:        time.Second,
		NoFreelistSync: true,
		FreelistType:   bbolt.FreelistMapType,
		PageSize:       pageSize,
		NoStatistics:   true,
		OpenFile:       open,
	}
}

// createFile makes an empty store at path. It is built under another name and
// linked into place whole, so that no crash leaves half a store behind.
func createFile(path string) (err error) {
	draft, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(draft.Name()) }()
	if err := draft.Close(); err != nil {
		return err
	}
	db, err := bbolt.Open(draft.Name(), 0o600, bboltOptions(nil))
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket([]byte(bucket))
		return err
	})
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	if err := os.Link(draft.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir) // #nosec G304 -- the folder of the operator's own store
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// lock takes how (LOCK_EX or LOCK_SH) on f, waiting at most wait: a PDP that
// was stopped a moment ago may still be closing.
func lock(f *os.File, how int, wait time.Duration) error {
	for end := time.Now().Add(wait); ; time.Sleep(lockPoll) {
		err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB) // #nosec G115 -- a descriptor
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return err
		}
		if !time.Now().Before(end) {
			return fmt.Errorf("%w: %s", ErrLocked, f.Name())
		}
	}
}
