//go:build !windows

package inventory

import (
	"context"
	"fmt"
	"strings"
)

// macRelease asks for the release as macOS writes it, such as "26.1".
func macRelease(ctx context.Context, m Machine) (id, release string, err error) {
	raw, err := m.Run(ctx, "/usr/bin/sw_vers", "-productVersion")
	if err != nil {
		return "", "", fmt.Errorf("inventory: asking for the release: %w", err)
	}
	return "macos", strings.TrimSpace(string(raw)), nil
}
