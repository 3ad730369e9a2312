package posture

import (
	"cmp"
	"strings"
	"unicode"
)

// compareDebian orders two versions as Debian policy 5.6.12 does.
func compareDebian(a, b string) int {
	epochA, restA := epoch(a)
	epochB, restB := epoch(b)
	if c := compareNumbers(epochA, epochB); c != 0 {
		return c
	}
	upstreamA, revisionA := revision(restA)
	upstreamB, revisionB := revision(restB)
	if c := comparePart(upstreamA, upstreamB); c != 0 {
		return c
	}
	return comparePart(revisionA, revisionB)
}

func epoch(version string) (string, string) {
	if before, after, ok := strings.Cut(version, ":"); ok {
		return before, after
	}
	return "0", version
}

func revision(version string) (string, string) {
	if i := strings.LastIndexByte(version, '-'); i >= 0 {
		return version[:i], version[i+1:]
	}
	return version, "0"
}

// comparePart compares runs of other characters and runs of digits by turns.
func comparePart(a, b string) int {
	for a != "" || b != "" {
		endA, endB := leading(a, isOther), leading(b, isOther)
		if c := compareOthers(a[:endA], b[:endB]); c != 0 {
			return c
		}
		a, b = a[endA:], b[endB:]
		endA, endB = leading(a, isDigit), leading(b, isDigit)
		if c := compareNumbers(a[:endA], b[:endB]); c != 0 {
			return c
		}
		a, b = a[endA:], b[endB:]
	}
	return 0
}

// compareOthers orders a tilde before the end, letters before the rest.
func compareOthers(a, b string) int {
	for i := range max(len(a), len(b)) {
		if c := cmp.Compare(rankAt(a, i), rankAt(b, i)); c != 0 {
			return c
		}
	}
	return 0
}

func rankAt(s string, i int) int {
	switch {
	case i >= len(s):
		return 0
	case s[i] == '~':
		return -1
	case isLetter(s[i]):
		return int(s[i])
	}
	return int(s[i]) + 256
}

// compareRPM orders two versions or releases as rpm does: runs of letters and
// of digits, a tilde before the end and a caret after it.
func compareRPM(a, b string) int {
	for {
		a, b = strings.TrimLeftFunc(a, isSeparator), strings.TrimLeftFunc(b, isSeparator)
		for _, mark := range [...]struct {
			sign string
			rank int
		}{{"~", -1}, {"^", 1}} {
			hasA, hasB := strings.HasPrefix(a, mark.sign), strings.HasPrefix(b, mark.sign)
			switch {
			case hasA && hasB:
				return compareRPM(a[1:], b[1:])
			case hasA && mark.rank > 0 && b != "", hasB && mark.rank > 0 && a == "":
				return -1
			case hasB && mark.rank > 0, hasA && mark.rank > 0:
				return 1
			case hasA:
				return -1
			case hasB:
				return 1
			}
		}
		if a == "" || b == "" {
			return cmp.Compare(len(a), len(b))
		}
		kind := isLetter
		if isDigit(a[0]) {
			kind = isDigit
		}
		endA, endB := leading(a, kind), leading(b, kind)
		if endB == 0 { // digits are newer than letters
			if isDigit(a[0]) {
				return 1
			}
			return -1
		}
		c := strings.Compare(a[:endA], b[:endB])
		if isDigit(a[0]) {
			c = compareNumbers(a[:endA], b[:endB])
		}
		if c != 0 {
			return c
		}
		a, b = a[endA:], b[endB:]
	}
}

// compareNumbers compares runs of digits of any length.
func compareNumbers(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if c := cmp.Compare(len(a), len(b)); c != 0 {
		return c
	}
	return strings.Compare(a, b)
}

func leading(s string, is func(byte) bool) int {
	i := 0
	for i < len(s) && is(s[i]) {
		i++
	}
	return i
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isOther(c byte) bool  { return !isDigit(c) }
func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func isSeparator(r rune) bool {
	if r > unicode.MaxASCII {
		return true
	}
	c := byte(r) // #nosec G115 -- ASCII
	return c != '~' && c != '^' && !isDigit(c) && !isLetter(c)
}
