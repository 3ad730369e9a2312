package inventory

import (
	"fmt"
	"io/fs"
	"strings"
)

// osRelease reads ID and VERSION_ID (os-release(5)).
func osRelease(files fs.FS) (id, release string, err error) {
	raw, err := fs.ReadFile(files, "etc/os-release")
	if err != nil {
		if raw, err = fs.ReadFile(files, "usr/lib/os-release"); err != nil {
			return "", "", fmt.Errorf("inventory: %w", err)
		}
	}
	for line := range strings.Lines(string(raw)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		value = strings.Trim(value, `"'`)
		switch name {
		case "ID":
			id = value
		case "VERSION_ID":
			release = value
		}
	}
	if id == "" {
		return "", "", fmt.Errorf("%w: os-release names no system", ErrMalformed)
	}
	return id, release, nil
}
