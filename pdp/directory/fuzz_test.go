package directory

import (
	"net/url"
	"testing"
	"unicode"
)

// An origin that is accepted is exactly what a browser would send: it parses
// to itself and names a host and nothing more.
func FuzzOrigin(f *testing.F) {
	for _, seed := range []string{"https://hr.example.gov.tw", "https://a.example:8443", "https://[::1]", "https://a.example:443", "https://a\\b", "https://%61.example", "https://a.example/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, origin string) {
		if checkOrigin(origin) != nil {
			return
		}
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "https" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.Hostname() == "" || u.String() != origin {
			t.Errorf("accepted %q", origin)
		}
		for _, r := range origin {
			if r > unicode.MaxASCII || unicode.IsSpace(r) || unicode.IsUpper(r) {
				t.Errorf("accepted %q", origin)
			}
		}
	})
}

// A name that is accepted moves no cursor and hides nothing.
func FuzzName(f *testing.F) {
	for _, seed := range []string{"王小明", "Ada Lovelace", "a\u202eb", "a\x1b[0m", "\xff", " a", "e\u0301"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if checkName("name", name) != nil {
			return
		}
		for _, r := range name {
			if unicode.Is(unicode.C, r) || unicode.In(r, unicode.Zl, unicode.Zp) {
				t.Errorf("accepted %q", name)
			}
		}
	})
}
