package inventory

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/internal/yamlfile"
)

// The escapes are those of NISTIR 7695, 6.2.
func TestCPEName(t *testing.T) {
	for _, c := range []struct{ vendor, product, version, want string }{
		{"openssl", "openssl", "3.0.15", "cpe:2.3:a:openssl:openssl:3.0.15:*:*:*:*:*:*:*"},
		{"notepad-plus-plus", "notepad++", "8.7", `cpe:2.3:a:notepad-plus-plus:notepad\+\+:8.7:*:*:*:*:*:*:*`},
		{"Igor Pavlov", "7-Zip (x64)", "24.09", `cpe:2.3:a:igor_pavlov:7-zip_\(x64\):24.09:*:*:*:*:*:*:*`},
		{"a", "b:c", "1.0~rc1", `cpe:2.3:a:a:b\:c:1.0\~rc1:*:*:*:*:*:*:*`},
		{"網擎", "-", "", `cpe:2.3:a:*:\-:*:*:*:*:*:*:*:*`},
	} {
		p := product{"a", c.vendor, c.product}
		name := cpeName(p, c.version)
		if name != c.want {
			t.Errorf("%s, want %s", name, c.want)
		}
	}
}

func TestCPEIsReadAsItWasWritten(t *testing.T) {
	for _, p := range []product{{"a", "notepad-plus-plus", "notepad++"}, {"o", "x.org", "a:b*c?"}, {"a", `back\slash`, "~"}} {
		got, err := parseCPE(cpeName(p, "1"))
		if err != nil || got != p {
			t.Errorf("%+v became %+v, %v", p, got, err)
		}
	}
	if _, err := parseCPE("cpe:/a:openssl:openssl"); !errors.Is(err, errCPE) {
		t.Error(err)
	}
}

func FuzzCPE(f *testing.F) {
	f.Add("openssl", "open ssl", "1.0")
	f.Add(`a\`, ":", "-")
	f.Fuzz(func(t *testing.T, vendor, name, version string) {
		text := cpeName(product{"a", vendor, name}, version)
		if parts := splitEscaped(text); len(parts) != cpeParts {
			t.Errorf("%s has %d parts", text, len(parts))
		}
		if p, err := parseCPE(text); err == nil {
			if again := cpeName(p, version); again != text {
				t.Errorf("%s became %s", text, again)
			}
		}
	})
}

func TestMakersVersion(t *testing.T) {
	for _, c := range []struct {
		source         wire.SoftwareSource
		version, maker string
	}{
		{wire.SoftwareDpkg, "1:9.2p1-2+deb12u3", "9.2p1"},
		{wire.SoftwareDpkg, "3.0.15-1~deb12u1", "3.0.15"},
		{wire.SoftwareDpkg, "6.0+dfsg-1", "6.0"},
		{wire.SoftwareDpkg, "2024a", "2024a"},
		{wire.SoftwareRPM, "1:3.0.7-27.el9", "3.0.7"},
		{wire.SoftwareRegistry, "24.09-1:x", "24.09-1:x"},
	} {
		if got := makersVersion(wire.Software{Source: c.source, Version: c.version}); got != c.maker {
			t.Errorf("%s: %s, want %s", c.version, got, c.maker)
		}
	}
}

func TestNames(t *testing.T) {
	n := names(t)
	for _, c := range []struct {
		s     wire.Software
		want  product
		known bool
	}{
		{dpkg("libssl3", "openssl", ""), product{"a", "openssl", "openssl"}, true},
		{dpkg("openssh-client", "openssh", ""), product{"a", "openbsd", "openssh"}, true},
		{dpkg("hello", "", ""), product{"a", "hello", "hello"}, false},
		{wire.Software{Source: wire.SoftwareRegistry, Name: "Mozilla Firefox (x64 zh-TW)"}, product{"a", "mozilla", "firefox"}, true},
		{wire.Software{Source: wire.SoftwareRegistry, Name: "Adobe Acrobat Reader 64-bit"}, product{"a", "adobe", "acrobat_reader"}, true},
		{wire.Software{Source: wire.SoftwareRegistry, Name: "Gitter"}, product{"a", "gitter", "gitter"}, false},
		{wire.Software{Source: wire.SoftwareApplications, Name: "Safari", Vendor: "apple"}, product{"a", "apple", "safari"}, true},
		{wire.Software{Source: wire.SoftwareRegistry, Name: "公文系統", Vendor: "某廠商"}, product{"a", "某廠商", "公文系統"}, false},
	} {
		if got, known := n.product(c.s); got != c.want || known != c.known {
			t.Errorf("%s: %+v %v", c.s.Name, got, known)
		}
	}
}

func TestAnAgencyAddsNames(t *testing.T) {
	file := filepath.Join(t.TempDir(), "names.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("packages:\n  hello: gnu:hello\n  openssl: other:tls\napplications:\n  公文系統: eic:speed\n")
	n, err := LoadNames(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		s    wire.Software
		want product
	}{
		{dpkg("hello", "", ""), product{"a", "gnu", "hello"}},
		{dpkg("openssl", "", ""), product{"a", "other", "tls"}},
		{dpkg("curl", "", ""), product{"a", "haxx", "curl"}},
		{wire.Software{Source: wire.SoftwareRegistry, Name: "公文系統 8.0"}, product{"a", "eic", "speed"}},
	} {
		if got, known := n.product(c.s); got != c.want || !known {
			t.Errorf("%s: %+v %v", c.s.Name, got, known)
		}
	}
	for _, bad := range []string{"packages:\n  a: b\n", "packages:\n  a: 'b:'\n", "packages:\n  a: b:c:d\n", "package:\n  a: b:c\n"} {
		write(bad)
		var wrong *yamlfile.Error
		if _, err := LoadNames(file); !errors.As(err, &wrong) || !strings.Contains(err.Error(), file) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
