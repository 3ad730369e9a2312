package inventory

import (
	"context"
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

// macRelease asks for the release as macOS writes it, such as "26.1".
func macRelease(ctx context.Context, m Machine) (id, release string, err error) {
	raw, err := m.Run(ctx, "/usr/bin/sw_vers", "-productVersion")
	if err != nil {
		return "", "", fmt.Errorf("inventory: asking for the release: %w", err)
	}
	return "macos", strings.TrimSpace(string(raw)), nil
}
