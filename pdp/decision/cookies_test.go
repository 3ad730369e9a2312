package decision

import (
	"strings"
	"testing"
)

func TestCookiesThatStay(t *testing.T) {
	const own = "__Host-menshen-session=abc"
	for line, want := range map[string]string{
		"": "", "a=1": "a=1", " a=1 ;b": " a=1 ;b",
		own: "", own + "; a=1": "a=1", "a=1; " + own: "a=1", "a=1; " + own + "; b=2": "a=1; b=2", "a=1;" + own + ";b=2": "a=1; b=2",
		"__Host-menshen-pre=1; " + own + "; a=x=y": "a=x=y", own + ";; ;" + own: "",
		// Two Cookie headers, joined by a comma: what is whose cannot be told.
		"a=1," + own: "", own + "; not" + own: "",
	} {
		if got := ApplicationCookies([]string{line}); got != want {
			t.Errorf("%q became %q", line, got)
		}
	}
}

func FuzzApplicationCookies(f *testing.F) {
	f.Add("a=1; __Host-menshen-session=x; b=2")
	f.Fuzz(func(t *testing.T, line string) {
		if got := ApplicationCookies([]string{line}); strings.Contains(got, menshensCookies) || len(got) > len(line)+len(line) {
			t.Fatalf("%q became %q", line, got)
		}
	})
}
