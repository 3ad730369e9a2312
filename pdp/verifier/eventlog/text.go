package eventlog

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Bounds of what a log says where it is passed on, in characters.
const (
	maxText   = 200
	maxDetail = 4096
)

// plain makes a log's own words fit to be shown: one line of at most limit
// printable characters.
func plain(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	if utf8.RuneCountInString(s) > limit {
		s = string([]rune(s)[:limit]) + "…"
	}
	return s
}

// letters returns data as a text: UTF-8 or UTF-16 without the NULs at its end.
// It reports false for what is no text.
func letters(data []byte) (string, bool) {
	if wide(data) {
		return strings.TrimRight(ucs2(data), "\x00"), true
	}
	text := strings.TrimRight(string(data), "\x00")
	ok := text != "" && utf8.ValidString(text) && strings.IndexFunc(text, func(r rune) bool {
		return !unicode.IsPrint(r) && r != '\n' && r != '\t' && r != '\r'
	}) < 0
	return text, ok
}

// wide reports whether data looks like UTF-16 of letters in the Latin range.
func wide(data []byte) bool {
	if len(data) < 3 {
		return false
	}
	for i, b := range data {
		if i%2 == 1 && b != 0 {
			return false
		}
	}
	return data[0] != 0
}

// ucs2 decodes little-endian UTF-16. A last odd byte is half a NUL: one boot
// loader forgets the other half.
func ucs2(data []byte) string {
	units := make([]uint16, 0, len(data)/2)
	for i := 0; i+1 < len(data); i += 2 {
		units = append(units, uint16(data[i])|uint16(data[i+1])<<8)
	}
	return string(utf16.Decode(units))
}

// guid is an EFI_GUID as it lies in memory.
type guid [16]byte

func (g guid) String() string {
	return fmt.Sprintf("%02x%02x%02x%02x-%02x%02x-%02x%02x-%x-%x",
		g[3], g[2], g[1], g[0], g[5], g[4], g[7], g[6], g[8:10], g[10:])
}
