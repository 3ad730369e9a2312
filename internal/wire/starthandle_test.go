package wire

import (
	"errors"
	"net/url"
	"strings"
	"testing"
)

func TestReturnPathsOnThisHost(t *testing.T) {
	for _, path := range []string{
		"/", "/leave?from=2025-11-22", "/a/b/", "/%E5%81%87", "/go?to=https://elsewhere.example//x",
		"/.menshenx", "/a/.menshen/b", "/%2emenshenx", "/a%2Fb", "/a%5Cb", "/a/...", "/.a/b..", "/100%25", "/a?b=/../%zz", "/" + strings.Repeat("a", MaxReturnPath-1),
	} {
		if err := CheckReturnPath(path); err != nil {
			t.Errorf("%.40q: %v", path, err)
		}
	}
}

func TestReturnPathsThatLeadAwayAreRefused(t *testing.T) {
	for name, path := range map[string]string{
		"empty":                 "",
		"relative":              "a",
		"absolute":              "https://evil.example/",
		"network path":          "//evil.example",
		"backslash":             `/\evil.example`,
		"backslash later":       `/a\b`,
		"tab between":           "/\t/evil.example",
		"line end between":      "/\n/evil.example",
		"header injection":      "/a\r\nSet-Cookie: x=y",
		"NUL":                   "/a\x00",
		"DEL":                   "/a\x7f",
		"space":                 "/a b",
		"not ASCII":             "/假",
		"empty segment":         "/a//b",
		"after a dot":           "/.//evil.example",
		"fragment":              "/a#b",
		"circle":                "/.menshen/start?rd=/",
		"circle without end":    "/.menshen",
		"circle, dot encoded":   "/%2emenshen/start",
		"circle, encoded whole": "/%2E%6D%65%6E%73%68%65%6E/start",
		"circle, slash encoded": "/.menshen%2Fstart",
		"circle, slash doubled": "/%2F.menshen/start",
		"dot":                   "/./a",
		"dots":                  "/a/../b",
		"dots at the end":       "/a/..",
		"dots to a circle":      "/a/../.menshen/start",
		"dot encoded":           "/%2e/a",
		"dots encoded":          "/a/%2E%2e/b",
		"dots half encoded":     "/a/.%2e/b",
		"dots, encoded slash":   "/a%2F..%2Fb",
		"broken escape":         "/a%zz",
		"half an escape":        "/a%2",
		"too long":              "/" + strings.Repeat("a", MaxReturnPath),
	} {
		if err := CheckReturnPath(path); !errors.Is(err, ErrReturnPath) {
			t.Errorf("%s: %.40q was accepted", name, path)
		}
	}
}

func FuzzReturnPathStaysOnItsHost(f *testing.F) {
	for _, seed := range []string{"/", "//evil.example", `/\evil.example`, "/\t/evil.example", "/a?b=//c", "/.//x", "/..//x"} {
		f.Add(seed)
	}
	base, err := url.Parse("https://portal.example/.menshen/callback")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if CheckReturnPath(path) != nil {
			return
		}
		reference, err := url.Parse(path)
		if err != nil {
			return // a malformed escape: the browser keeps it on this host
		}
		to := base.ResolveReference(reference)
		if to.Scheme != "https" || to.Host != "portal.example" || to.User != nil {
			t.Fatalf("%q leads to %s", path, to)
		}
	})
}
