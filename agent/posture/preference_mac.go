//go:build !windows

package posture

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Where macOS keeps a machine's preferences; what a management profile sets
// wins.
const (
	managedPreferences = "Library/Managed Preferences/"
	machinePreferences = "Library/Preferences/"
)

// preference returns the effective value of a machine's preference, "" where
// nothing sets it. plutil prints a value in its raw form, which does not follow
// the language (plutil(1), -extract … raw).
func preference(ctx context.Context, m Machine, domain, key string) (string, error) {
	for _, folder := range [...]string{managedPreferences, machinePreferences} {
		file := folder + domain + ".plist"
		if _, err := fs.Stat(m.Files, file); errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return "", fmt.Errorf("preferences %s: %w", domain, err)
		}
		out, code, err := m.Commands.Run(ctx, "/usr/bin/plutil", "-extract", key, "raw", "-o", "-", "/"+file)
		if err != nil {
			return "", err
		}
		if code == 0 {
			return strings.TrimSpace(string(out)), nil
		}
	}
	return "", nil
}

// says runs a program that prints one short answer and must end well.
func says(ctx context.Context, m Machine, program string, args ...string) (string, error) {
	out, code, err := m.Commands.Run(ctx, program, args...)
	if err != nil {
		return "", err
	}
	if code != 0 {
		return "", fmt.Errorf("%s ended with %d", program, code)
	}
	return strings.TrimSpace(string(out)), nil
}
