package bolt

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// DamagedError says that a file is not a sound store, and where.
type DamagedError struct {
	Path string
	Page uint64
	Why  string
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("bolt: %s is damaged at page %d: %s", e.Path, e.Page, e.Why)
}

// Report is what Check found in a sound store.
type Report struct {
	Records  int
	Revision int64
}

// Check reads the store at path whole and reports a *DamagedError if any page
// or record of it is unsound. It never maps the file and is bounded by its
// size, so it is safe on any bytes. While a PDP has it open: ErrLocked.
func Check(path string) (report Report, err error) {
	f, err := os.Open(path) // #nosec G304 -- the operator names the file
	if err != nil {
		return Report{}, fmt.Errorf("bolt: %w", err)
	}
	report, err = lockAndCheck(f, unix.LOCK_SH, 100*time.Millisecond)
	return report, errors.Join(err, f.Close())
}

func lockAndCheck(f *os.File, how int, wait time.Duration) (Report, error) {
	if err := lock(f, how, wait); err != nil {
		return Report{}, err
	}
	info, err := f.Stat()
	if err != nil {
		return Report{}, err
	}
	report, err := checkPages(f, info.Size())
	var damaged *DamagedError
	if errors.As(err, &damaged) {
		damaged.Path = f.Name()
	}
	return report, err
}

// Reason returns what to tell the administrator.
func (e *DamagedError) Reason() wire.Reason {
	return reason.New(reason.StoreDamaged, "file", e.Path, "page", strconv.FormatUint(e.Page, 10), "why", e.Why)
}
