package inventory

import (
	"errors"
	"fmt"
	"strings"

	"github.com/menshen-zt/menshen/internal/wire"
)

// product is the part of a CPE name that a vulnerability is found by, in lower
// case, without escapes.
type product struct {
	part, vendor, product string // part is "a" or "o"
}

// errCPE is returned for a name that is not a CPE 2.3 formatted string.
var errCPE = errors.New("not a CPE 2.3 name")

// cpeParts is how many a formatted string has, "cpe" and "2.3" among them.
const cpeParts = 13

// parseCPE reads a formatted string (NISTIR 7695, 6.2) as far as it names a
// product. A product or vendor that is left open names nothing.
func parseCPE(text string) (product, error) {
	parts := splitEscaped(text)
	if len(parts) != cpeParts || parts[0] != "cpe" || parts[1] != "2.3" {
		return product{}, fmt.Errorf("%w: %.80q", errCPE, text)
	}
	p := product{strings.ToLower(parts[2]), unescape(parts[3]), unescape(parts[4])}
	if (p.part != "a" && p.part != "o") || open(parts[3]) || open(parts[4]) {
		return product{}, fmt.Errorf("%w with a part a or o, a vendor and a product: %.80q", errCPE, text)
	}
	return p, nil
}

// open is ANY or NA.
func open(attribute string) bool { return attribute == "*" || attribute == "-" || attribute == "" }

// splitEscaped splits at colons that are not escaped.
func splitEscaped(text string) []string {
	var parts []string
	start := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case ':':
			parts = append(parts, text[start:i])
			start = i + 1
		}
	}
	return append(parts, text[start:])
}

func unescape(attribute string) string {
	var b strings.Builder
	for i := 0; i < len(attribute); i++ {
		if attribute[i] == '\\' && i+1 < len(attribute) {
			i++
		}
		b.WriteByte(attribute[i])
	}
	return strings.ToLower(b.String())
}

// escape makes an attribute's value of free text: lower case, spaces as
// underscores, everything else but letters, digits and "_-." escaped. What CPE
// cannot hold (control characters, what is not ASCII) is left out.
func escape(text string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(strings.TrimSpace(text)) {
		switch {
		case r == ' ':
			b.WriteByte('_')
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '_', r == '-', r == '.':
			b.WriteRune(r)
		case r > ' ' && r < 0x7f:
			b.WriteByte('\\')
			b.WriteRune(r)
		}
	}
	switch out := b.String(); out {
	case "":
		return "*"
	case "-": // alone it means "not applicable"
		return `\-`
	default:
		return out
	}
}

// cpeName is the CPE 2.3 formatted string of a product in a version.
func cpeName(p product, version string) string {
	return "cpe:2.3:" + p.part + ":" + escape(p.vendor) + ":" + escape(p.product) + ":" + escape(version) + ":*:*:*:*:*:*:*"
}

// makersVersion is the version as the maker writes it, without what a
// distribution adds: the epoch before it and the revision behind it.
func makersVersion(s wire.Software) string {
	version := s.Version
	switch s.Source {
	case wire.SoftwareDpkg, wire.SoftwareRPM:
		if _, rest, epoch := strings.Cut(version, ":"); epoch {
			version = rest
		}
		if i := strings.LastIndexByte(version, '-'); i > 0 {
			version = version[:i]
		}
		for _, added := range [...]string{"+dfsg", "+ds", "~dfsg", "+git", "+really"} {
			if i := strings.Index(version, added); i > 0 {
				version = version[:i]
			}
		}
	}
	return version
}
