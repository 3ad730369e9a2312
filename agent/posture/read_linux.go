package posture

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
)

var errTooLarge = errors.New("larger than expected")

// read reads a small file; a larger one is an error, not a longer wait.
func read(files fs.FS, name string, limit int64) ([]byte, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(raw)) > limit {
		return nil, fmt.Errorf("%s: %w", name, errTooLarge)
	}
	return raw, nil
}
