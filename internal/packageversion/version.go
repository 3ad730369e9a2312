// Package packageversion orders the versions of packages as their own package
// managers do: Debian policy 5.6.12, and rpm-version(7).
package packageversion

import (
	"fmt"

	deb "github.com/knqyf263/go-deb-version"
	rpm "github.com/knqyf263/go-rpm-version"
)

// Debian compares two versions: negative where a comes first. An error says
// that one of them cannot be read.
func Debian(a, b string) (int, error) {
	x, err := deb.NewVersion(a)
	if err != nil {
		return 0, fmt.Errorf("packageversion: %.60q: %w", a, err)
	}
	y, err := deb.NewVersion(b)
	if err != nil {
		return 0, fmt.Errorf("packageversion: %.60q: %w", b, err)
	}
	switch {
	case x.LessThan(y):
		return -1, nil
	case x.GreaterThan(y):
		return 1, nil
	}
	return 0, nil
}

// RPM compares two versions, each with or without epoch and release: negative
// where a comes first. Every text is a version to rpm.
func RPM(a, b string) int { return rpm.NewVersion(a).Compare(rpm.NewVersion(b)) }
