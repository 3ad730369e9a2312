package state

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// maxCounterBytes is the longest that a counter's file can be.
const maxCounterBytes = len("18446744073709551615\n")

// Counter is a number in a file of its own. It is replaced in one step, so it
// is the old one or the new one after a crash.
type Counter struct{ path string }

// CounterAt names the counter at path. Nothing is opened yet.
func CounterAt(path string) *Counter { return &Counter{path} }

// Path is the file's path.
func (c *Counter) Path() string { return c.path }

// Load reads the number: ErrUnreadable if it is not there, ErrExposed, or
// ErrCorrupt if it is not what Save wrote.
func (c *Counter) Load() (uint64, error) {
	file, err := os.Open(c.path)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	if exposed(info) {
		return 0, fmt.Errorf("%w: %s has mode %04o, 0600 is needed", ErrExposed, c.path, info.Mode().Perm())
	}
	raw, err := io.ReadAll(io.LimitReader(file, int64(maxCounterBytes)+1))
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	text, whole := strings.CutSuffix(string(raw), "\n")
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || !whole || text != strconv.FormatUint(n, 10) {
		return 0, fmt.Errorf("%w: %s holds no number", ErrCorrupt, c.path)
	}
	return n, nil
}

// Save returns when the number is durable.
func (c *Counter) Save(n uint64) error {
	f := File{path: c.path}
	if err := f.replace([]byte(strconv.FormatUint(n, 10) + "\n")); err != nil {
		return fmt.Errorf("%w: %w", ErrNotWritten, err)
	}
	return nil
}

// Begin makes sure that there is a counter. One that stands goes on: keys that
// are in use still count with it.
func (c *Counter) Begin() error {
	_, err := c.Load()
	if errors.Is(err, ErrUnreadable) || errors.Is(err, ErrCorrupt) {
		return c.Save(0)
	}
	return err
}
