package inventory

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/wire"
)

// feedText is the example that docs/software.md shows.
var feedText = func() string {
	raw, err := os.ReadFile("../../docs/vulnerability-feed.example.json")
	if err != nil {
		panic(err)
	}
	return string(raw)
}()

func feed(t testing.TB) *Feed {
	t.Helper()
	f, err := ParseFeed([]byte(feedText))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func names(t testing.TB) *Names {
	t.Helper()
	n, err := LoadNames("")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func debian(release string, software ...wire.Software) wire.Inventory {
	return wire.Inventory{System: "debian", Release: release, Software: software}
}

func dpkg(name, origin, version string) wire.Software {
	return wire.Software{Source: wire.SoftwareDpkg, Name: name, Origin: origin, Version: version}
}

func TestJoin(t *testing.T) {
	f, n := feed(t), names(t)
	rhel := func(version string) wire.Inventory {
		return wire.Inventory{System: "rhel", Release: "9.4", Software: []wire.Software{{Source: wire.SoftwareRPM, Name: "glibc", Version: version}}}
	}
	windows := func(build string, software ...wire.Software) wire.Inventory {
		return wire.Inventory{System: "windows", Release: build, Software: software}
	}
	firefox := func(version string) wire.Software {
		return wire.Software{Source: wire.SoftwareRegistry, Name: "Mozilla Firefox (x64 zh-TW)", Version: version}
	}
	const patched = "10.0.26100.5000"
	for name, c := range map[string]struct {
		in       wire.Inventory
		known    int
		critical int
		kev      int
		covered  bool
	}{
		"vulnerable package":              {debian("12", dpkg("openssl", "", "3.0.15-1~deb12u1")), 1, 1, 1, true},
		"fixed package":                   {debian("12", dpkg("openssl", "", "3.0.16-1~deb12u1")), 0, 0, 0, true},
		"fixed, with a later revision":    {debian("12", dpkg("openssl", "", "3.0.16-1~deb12u2")), 0, 0, 0, true},
		"a backport before the fix":       {debian("12", dpkg("openssl", "", "3.0.16-1~deb12u1~bpo1")), 1, 1, 1, true},
		"by its source package":           {debian("12", dpkg("libssl3", "openssl", "3.0.15-1~deb12u1")), 1, 1, 1, true},
		"two packages of one source":      {debian("12", dpkg("libssl3", "openssl", "3.0.15-1~deb12u1"), dpkg("openssl", "", "3.0.15-1~deb12u1")), 1, 1, 1, true},
		"no fix yet":                      {debian("12", dpkg("libc6", "glibc", "2.36-9+deb12u13")), 1, 0, 0, true},
		"a version that cannot be read":   {debian("12", dpkg("openssl", "", "::")), 1, 1, 1, true},
		"a release that is not covered":   {debian("13", dpkg("openssl", "", "1")), 0, 0, 0, false},
		"1 does not cover 12":             {debian("1", dpkg("openssl", "", "1")), 0, 0, 0, false},
		"nothing installed":               {debian("12"), 0, 0, 0, false},
		"RHEL, before the first affected": {rhel("2.33-1.el9"), 0, 0, 0, true},
		"RHEL, affected":                  {rhel("2.34-100.el9"), 1, 0, 0, true},
		"RHEL, fixed":                     {rhel("2.34-101.el9"), 0, 0, 0, true},
		"Firefox, affected":               {windows(patched, firefox("145.0")), 1, 0, 1, true},
		"Firefox, fixed":                  {windows(patched, firefox("145.0.1")), 0, 0, 0, true},
		"Firefox, not yet affected":       {windows(patched, firefox("139.9")), 0, 0, 0, true},
		"Windows itself":                  {windows("10.0.26100.1", firefox("145.0.1")), 1, 0, 1, true},
		"the distribution's own Firefox":  {debian("12", dpkg("firefox-esr", "", "144.0-1")), 0, 0, 0, true},
	} {
		got := join(f, n, c.in, nil)
		if got.Known != c.known || got.Critical != c.critical || got.ExploitedCount != c.kev || len(got.Exploited) != c.kev || got.Covered != c.covered {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestAFeedOfPackagesAloneDoesNotCoverMacOS: nothing found must not look as if
// nothing were there.
func TestAFeedOfPackagesAloneDoesNotCoverMacOS(t *testing.T) {
	f, err := ParseFeed([]byte(`{"version":1,"as_of":"2026-11-20T00:00:00Z","vulnerabilities":[
		{"cve":"CVE-2026-1","cvss":1,"epss":0,"affected":[{"source":"dpkg","system":"debian 12","package":"a"}]},
		{"cve":"CVE-2026-2","cvss":1,"epss":0,"affected":[{"cpe":"cpe:2.3:o:microsoft:windows:*:*:*:*:*:*:*:*"}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for system, covered := range map[string]bool{"windows": true, "macos": false, "haiku": false} {
		in := wire.Inventory{System: system, Release: "1", Software: []wire.Software{{Source: wire.SoftwareRegistry, Name: "Firefox", Version: "145"}}}
		if got := join(f, names(t), in, nil); got.Covered != covered {
			t.Errorf("%s: %+v", system, got)
		}
	}
}

func TestTheLongestKnownComesFirst(t *testing.T) {
	in := debian("12", dpkg("openssl", "", "3.0.15-1"), wire.Software{Source: wire.SoftwareRegistry, Name: "Firefox", Version: "145"})
	got := join(feed(t), names(t), in, []byte{1})
	if len(got.Exploited) != 2 || got.Exploited[0].CVE != "CVE-2026-0001" || got.Exploited[1].Fixed != "145.0.1" ||
		got.MaxCVSS != 9.8 || got.MaxEPSS != 0.9 || got.Inventory[0] != 1 || got.FeedAsOf.IsZero() {
		t.Errorf("%+v", got)
	}
}

func TestExploitedIsBounded(t *testing.T) {
	var entries []string
	for i := range wire.MaxExploited + 5 {
		entries = append(entries, `{"cve":"CVE-2026-`+strconv.Itoa(1000+i)+`","cvss":9,"epss":0,"kev":"2026-01-01","affected":[{"source":"dpkg","system":"debian 12","package":"a"}]}`)
	}
	f, err := ParseFeed([]byte(`{"version":1,"as_of":"2026-11-20T00:00:00Z","vulnerabilities":[` + strings.Join(entries, ",") + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	got := join(f, names(t), debian("12", dpkg("a", "", "1")), nil)
	if len(got.Exploited) != wire.MaxExploited || got.ExploitedCount != wire.MaxExploited+5 {
		t.Errorf("%d of %d", len(got.Exploited), got.ExploitedCount)
	}
}

func TestAWrongFeedIsRefusedWhole(t *testing.T) {
	for name, change := range map[string][2]string{
		"not JSON":            {`{`, ``},
		"an unknown key":      {`"cvss": 5.0`, `"cvs": 5.0`},
		"another version":     {`"version": 1`, `"version": 2`},
		"no date":             {`"as_of": "2026-11-20T00:00:00Z",`, ``},
		"not a CVE":           {`CVE-2026-0002`, `2026-0002`},
		"CVSS of 11":          {`"cvss": 5.0`, `"cvss": 11`},
		"EPSS of 2":           {`"epss": 0.01`, `"epss": 2`},
		"a day that is none":  {`2026-09-01`, `2026-13-01`},
		"exploited tomorrow":  {`2026-11-19`, `2026-11-21`},
		"no package":          {`"package": "openssl", `, ``},
		"no system":           {`"system": "debian 12", "package": "openssl"`, `"package": "openssl"`},
		"an unknown source":   {`"source": "dpkg", "system": "debian 12", "package": "openssl"`, `"source": "pip", "system": "debian 12", "package": "openssl"`},
		"an unreadable fix":   {`3.0.16-1~deb12u1`, `:-`},
		"both names":          {`"cpe": "cpe:2.3:a:mozilla`, `"source": "dpkg", "system": "debian 12", "package": "a", "cpe": "cpe:2.3:a:mozilla`},
		"CPE of eleven parts": {`firefox:*:*:*:*:*:*:*:*`, `firefox:*:*:*:*:*:*:*`},
		"CPE of any product":  {`mozilla:firefox`, `mozilla:*`},
		"CPE of hardware":     {`cpe:2.3:a:mozilla`, `cpe:2.3:h:mozilla`},
		"CPE of 2.2":          {`cpe:2.3:a:mozilla`, `cpe:2.2:a:mozilla`},
		"nothing is affected": {`"affected": [{"source": "dpkg", "system": "debian 12", "package": "openssl", "fixed": "3.0.16-1~deb12u1"}]`, `"affected": []`},
	} {
		text := strings.Replace(feedText, change[0], change[1], 1)
		if text == feedText {
			t.Fatalf("%s changes nothing", name)
		}
		if _, err := ParseFeed([]byte(text)); !errors.Is(err, ErrFeed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ParseFeed([]byte(`{"version":1,"as_of":"2026-11-20T00:00:00Z","vulnerabilities":[]}`)); !errors.Is(err, ErrFeed) {
		t.Errorf("an empty feed: %v", err)
	}
}

func FuzzParseFeed(f *testing.F) {
	f.Add([]byte(feedText))
	f.Add([]byte(`{"version":1,"as_of":"2026-11-20T00:00:00Z","vulnerabilities":[{"cve":"CVE-1","cvss":1,"epss":1,"affected":[{"cpe":"cpe:2.3:a:a\\:b:c:*:*:*:*:*:*:*:*"}]}]}`))
	n, err := LoadNames("")
	if err != nil {
		f.Fatal(err)
	}
	in := debian("12", dpkg("openssl", "", "3.0.15-1"), wire.Software{Source: wire.SoftwareRegistry, Name: "Firefox", Version: "145"})
	f.Fuzz(func(t *testing.T, raw []byte) {
		parsed, err := ParseFeed(raw)
		if err != nil {
			return
		}
		if got := join(parsed, n, in, nil); len(got.Exploited) > wire.MaxExploited || got.ExploitedCount > got.Known {
			t.Errorf("%+v", got)
		}
	})
}
