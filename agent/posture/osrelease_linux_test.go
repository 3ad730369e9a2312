package posture

import (
	"maps"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/wire"
)

func TestOSRelease(t *testing.T) {
	debian := "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n# comment\nVERSION_ID=\"12\"\nID=debian\nBROKEN=\"x\n"
	got := recorded{}.file("etc/os-release", debian).file("proc/sys/kernel/osrelease", "6.1.0-1\n").run(osRelease)
	want := map[string]string{"id": "debian", "version_id": "12", "name": "Debian GNU/Linux 12 (bookworm)", "kernel": "6.1.0-1"}
	if got.state != wire.ClaimPass || !maps.Equal(got.value, want) {
		t.Errorf("%+v", got)
	}
	expect(t, recorded{}.file("usr/lib/os-release", "ID='fedora'\nVERSION_ID=41\n").run(osRelease), wire.ClaimPass, "")
	expect(t, recorded{}.file("etc/os-release", "NAME=x\n").run(osRelease), wire.ClaimError, "no ID")
	expect(t, recorded{}.run(osRelease), wire.ClaimError, "os-release")
	expect(t, recorded{}.file("etc/os-release", strings.Repeat("#", 65<<10)).run(osRelease), wire.ClaimError, "larger")
}

func TestUnquote(t *testing.T) {
	for in, want := range map[string]string{`a`: "a", `"a b"`: "a b", `'a\b'`: `a\b`, `"a\"b\$"`: `a"b$`, ``: "", `a\`: `a\`} {
		if got, ok := unquote(in); !ok || got != want {
			t.Errorf("%s: %q %v", in, got, ok)
		}
	}
	for _, in := range []string{`"`, `"a`, `'a"`} {
		if got, ok := unquote(in); ok {
			t.Errorf("%s: %q", in, got)
		}
	}
}

func FuzzOSRelease(f *testing.F) {
	f.Add("ID=debian\nVERSION_ID=\"12\"\n")
	f.Add("ID='a\\'\nX=\"\\\n")
	f.Fuzz(func(t *testing.T, text string) {
		for name := range parseOSRelease(text) {
			if strings.ContainsAny(name, "=\n") {
				t.Errorf("name %q", name)
			}
		}
	})
}
