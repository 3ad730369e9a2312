package inventory

import (
	deb "github.com/knqyf263/go-deb-version"
	rpm "github.com/knqyf263/go-rpm-version"

	"github.com/menshen-zt/menshen/internal/wire"
)

// before reports whether version a comes before b in the order of their source.
// Makers' own versions are compared part by part, as rpm does: numbers as
// numbers, a tilde before everything. It returns false for ok where a version
// cannot be read: then nobody knows.
func before(source wire.SoftwareSource, a, b string) (earlier, ok bool) {
	if source == wire.SoftwareDpkg {
		x, err := deb.NewVersion(a)
		if err != nil {
			return false, false
		}
		y, err := deb.NewVersion(b)
		if err != nil {
			return false, false
		}
		return x.LessThan(y), true
	}
	if a == "" || b == "" {
		return false, false
	}
	return rpm.NewVersion(a).LessThan(rpm.NewVersion(b)), true
}
