package inventory

import (
	"github.com/menshen-zt/menshen/internal/packageversion"
	"github.com/menshen-zt/menshen/internal/wire"
)

// before reports whether version a comes before b in the order of their source.
// Makers' own versions are compared part by part, as rpm does: numbers as
// numbers, a tilde before everything. It returns false for ok where a version
// cannot be read: then nobody knows.
func before(source wire.SoftwareSource, a, b string) (earlier, ok bool) {
	if source == wire.SoftwareDpkg {
		c, err := packageversion.Debian(a, b)
		return c < 0, err == nil
	}
	return packageversion.RPM(a, b) < 0, a != "" && b != ""
}
