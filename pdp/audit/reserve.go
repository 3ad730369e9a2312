package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

const (
	reserveFile   = "reserve"
	reserveStages = 4
)

// reserve is a file that takes up room on the disk, given back in stages when
// the disk is full and something must be recorded nevertheless.
type reserve struct {
	f          *os.File
	size, left int64
}

// openReserve opens the file; fill makes it as large as it should be.
func openReserve(dir string, size int64) (*reserve, error) {
	f, err := os.OpenFile(filepath.Join(dir, reserveFile), os.O_RDWR|os.O_CREATE, 0o600) // #nosec G304 -- a fixed name in the log's folder
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("audit: %w", err), f.Close())
	}
	return &reserve{f: f, size: size, left: info.Size()}, nil
}

// fill takes the whole room. What it cannot take it gives back at once.
func (r *reserve) fill() error {
	if r.left == r.size {
		return nil
	}
	if r.left < r.size {
		if err := allocate(r.f, r.size); err != nil {
			return errors.Join(fmt.Errorf("audit: reserve: %w", err), r.f.Truncate(r.left))
		}
	} else if err := r.f.Truncate(r.size); err != nil {
		return fmt.Errorf("audit: reserve: %w", err)
	}
	r.left = r.size
	return nil
}

// release gives one stage back, false when nothing is left.
func (r *reserve) release() bool {
	if r.left <= 0 {
		return false
	}
	left := max(0, r.left-max(1, r.size/reserveStages))
	if err := r.f.Truncate(left); err != nil {
		return false
	}
	r.left = left
	return true
}
