package inventory

import (
	"context"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/menshen-zt/menshen/internal/strictjson"
	"github.com/menshen-zt/menshen/internal/wire"
)

// of returns a Reader with these sources alone.
func of(m Machine, s ...source) *Reader {
	return &Reader{machine: m, sources: s, system: func(context.Context, Machine) (string, string, error) { return "debian", "12", nil }}
}

func software(t *testing.T, d Document) []wire.Software {
	t.Helper()
	var i wire.Inventory
	if err := strictjson.Unmarshal(d.Raw, &i); err != nil {
		t.Fatal(err)
	}
	if i.System != "debian" || i.Release != "12" {
		t.Errorf("%s %s", i.System, i.Release)
	}
	if len(i.Software) != d.Count {
		t.Errorf("%d entries are counted as %d", len(i.Software), d.Count)
	}
	return i.Software
}

func TestDpkg(t *testing.T) {
	d, err := of(Machine{Files: os.DirFS("testdata/debian")}, dpkg).Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []wire.Software{
		{Source: wire.SoftwareDpkg, Name: "libc-bin", Version: "2.36-9+deb12u9", Origin: "glibc", Arch: "amd64"},
		{Source: wire.SoftwareDpkg, Name: "libssl3", Version: "3.0.15-1~deb12u1", Origin: "openssl", Arch: "amd64"},
		{Source: wire.SoftwareDpkg, Name: "openssl", Version: "3.0.15-1~deb12u1", Arch: "amd64"},
	}
	if got := software(t, d); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

func TestDpkgStatusOfAnImage(t *testing.T) {
	files := fstest.MapFS{
		"var/lib/dpkg/status.d/base":         {Data: []byte("Package: base-files\nVersion: 12.4\nArchitecture: amd64\n")},
		"var/lib/dpkg/status.d/base.md5sums": {Data: []byte("not a stanza")},
	}
	d, err := of(Machine{Files: files}, dpkg).Read(t.Context())
	if got := software(t, d); err != nil || len(got) != 1 || got[0].Name != "base-files" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestDamagedStatusIsNoShorterList(t *testing.T) {
	whole, err := os.ReadFile("testdata/debian/var/lib/dpkg/status")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"a line that is none":      string(whole) + "\nPackage: x\ngarbage\n",
		"a stanza without package": string(whole) + "\nVersion: 1\n",
		"an endless line":          string(whole) + "\nPackage: " + strings.Repeat("x", maxLine),
	} {
		files := fstest.MapFS{dpkgStatus: {Data: []byte(text)}}
		if _, err := of(Machine{Files: files}, dpkg).Read(t.Context()); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// rpmMachine has an rpm database and a program that prints this.
func rpmMachine(out string, err error) Machine {
	return Machine{
		Files: fstest.MapFS{"usr/lib/sysimage/rpm/rpmdb.sqlite": {Data: []byte("db")}},
		Run: func(_ context.Context, name string, args ...string) ([]byte, error) {
			if name != "rpm" || len(args) != 3 || args[2] != rpmFormat {
				return nil, errors.New("not what rpm is asked")
			}
			return []byte(out), err
		},
	}
}

func TestRPM(t *testing.T) {
	out := "bash\t0:5.1.8-9.el9\tx86_64\tRed Hat, Inc.\tbash-5.1.8-9.el9.src.rpm\n" +
		"openssl-libs\t1:3.0.7-27.el9\tx86_64\tRed Hat, Inc.\topenssl-3.0.7-27.el9.src.rpm\n" +
		"gpg-pubkey\t0:fd431d51-4ae0493b\t(none)\t(none)\t(none)\n"
	d, err := of(rpmMachine(out, nil), rpm).Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []wire.Software{
		{Source: wire.SoftwareRPM, Name: "bash", Version: "5.1.8-9.el9", Vendor: "Red Hat, Inc.", Arch: "x86_64"},
		{Source: wire.SoftwareRPM, Name: "openssl-libs", Version: "1:3.0.7-27.el9", Vendor: "Red Hat, Inc.", Origin: "openssl", Arch: "x86_64"},
	}
	if got := software(t, d); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	if _, err := of(rpmMachine("bash\t0:5.1\n", nil), rpm).Read(t.Context()); !errors.Is(err, ErrMalformed) {
		t.Errorf("too few fields: %v", err)
	}
	failed := errors.New("rpm: database locked")
	if _, err := of(rpmMachine("", failed), rpm).Read(t.Context()); !errors.Is(err, failed) {
		t.Errorf("a failing rpm: %v", err)
	}
}

func TestApplications(t *testing.T) {
	recorded, err := os.ReadFile("testdata/system_profiler.json")
	if err != nil {
		t.Fatal(err)
	}
	m := Machine{Files: fstest.MapFS{"Applications/Safari.app/Contents/Info.plist": {}}}
	m.Run = func(context.Context, string, ...string) ([]byte, error) { return recorded, nil }
	d, err := of(m, applications).Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []wire.Software{
		{Source: wire.SoftwareApplications, Name: "Firefox", Version: "145.0"},
		{Source: wire.SoftwareApplications, Name: "Safari", Version: "26.1", Vendor: "apple"},
	}
	if got := software(t, d); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	for _, bad := range []string{"", "{}", "[]", `{"SPApplicationsDataType":[{"version":"1"}]}`} {
		m.Run = func(context.Context, string, ...string) ([]byte, error) { return []byte(bad), nil }
		if _, err := of(m, applications).Read(t.Context()); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestUninstallEntries(t *testing.T) {
	whole := uninstallEntry{key: "{1}", displayName: "7-Zip 24.09", version: "24.09", vendor: "Igor Pavlov", platform: "x64"}
	if s, shown := programOf(whole); !shown || s != (wire.Software{Source: wire.SoftwareRegistry, Name: "7-Zip 24.09", Version: "24.09", Vendor: "Igor Pavlov", Arch: "x64"}) {
		t.Errorf("%+v %v", s, shown)
	}
	for name, change := range map[string]func(*uninstallEntry){
		"no name":           func(e *uninstallEntry) { e.displayName = "" },
		"a component":       func(e *uninstallEntry) { e.systemComponent = true },
		"a part of another": func(e *uninstallEntry) { e.parent = "Office" },
		"an update":         func(e *uninstallEntry) { e.releaseType = "Security Update" },
	} {
		e := whole
		change(&e)
		if _, shown := programOf(e); shown {
			t.Error(name, "is listed")
		}
	}
}

func TestNothingIsReadTwiceUnlessItChanged(t *testing.T) {
	m := rpmMachine("a\t0:1-1\tnoarch\t(none)\t(none)\n", nil)
	asked, run := 0, m.Run
	m.Run = func(ctx context.Context, name string, args ...string) ([]byte, error) {
		asked++
		return run(ctx, name, args...)
	}
	r := of(m, rpm)
	first, err := r.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	again, err := r.Read(t.Context())
	if err != nil || asked != 1 || again.Digest != first.Digest {
		t.Errorf("asked %d times, %v", asked, err)
	}
	m.Files.(fstest.MapFS)["usr/lib/sysimage/rpm/rpmdb.sqlite"].ModTime = time.Now()
	if _, err := r.Read(t.Context()); err != nil || asked != 2 {
		t.Errorf("after a change: asked %d times, %v", asked, err)
	}
}

func TestNoPackageManager(t *testing.T) {
	if _, err := of(Machine{Files: fstest.MapFS{}}, dpkg, rpm).Read(t.Context()); !errors.Is(err, ErrNone) {
		t.Errorf("%v", err)
	}
}

func TestTooMuchSoftware(t *testing.T) {
	out := strings.Repeat("a\t0:1-1\tnoarch\t(none)\t(none)\n", 3)
	if d, err := of(rpmMachine(out, nil), rpm).Read(t.Context()); err != nil || d.Count != 1 {
		t.Errorf("the same thrice: %d, %v", d.Count, err)
	}
	many := make([]wire.Software, maxSoftware+1)
	for i := range many {
		many[i] = wire.Software{Name: strings.Repeat("x", i%7+1), Version: time.Unix(int64(i), 0).String()}
	}
	if _, err := marshal(wire.Inventory{Software: many}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%d entries: %v", len(many), err)
	}
	if _, err := marshal(wire.Inventory{Software: []wire.Software{{Name: strings.Repeat("x", wire.MaxInventoryBytes)}}}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a huge name: %v", err)
	}
}

func TestOSRelease(t *testing.T) {
	for text, want := range map[string][2]string{
		"ID=debian\nVERSION_ID=\"13\"\n":             {"debian", "13"},
		"# a comment\n\nID='rhel'\nVERSION_ID=9.4":   {"rhel", "9.4"},
		"NAME=x\nID=arch\n":                          {"arch", ""},
		"VERSION_ID=\"22.04\"\nID=ubuntu\nID_LIKE=z": {"ubuntu", "22.04"},
	} {
		id, release, err := osRelease(fstest.MapFS{"etc/os-release": {Data: []byte(text)}})
		if err != nil || id != want[0] || release != want[1] {
			t.Errorf("%q: %s %s %v", text, id, release, err)
		}
	}
	for _, files := range []fstest.MapFS{{}, {"usr/lib/os-release": {Data: []byte("NAME=x\n")}}} {
		if id, _, err := osRelease(files); err == nil {
			t.Errorf("%v: %s", files, id)
		}
	}
}

func TestMacOSRelease(t *testing.T) {
	m := Machine{Run: func(_ context.Context, name string, args ...string) ([]byte, error) {
		if name != "/usr/bin/sw_vers" || len(args) != 1 || args[0] != "-productVersion" {
			t.Error(name, args)
		}
		return []byte("26.1\n"), nil
	}}
	if id, release, err := macRelease(t.Context(), m); err != nil || id != "macos" || release != "26.1" {
		t.Errorf("%s %s %v", id, release, err)
	}
}

func FuzzDpkg(f *testing.F) {
	f.Add("Package: a\nStatus: install ok installed\nVersion: 1\n\n")
	f.Add("Package: a\n continues\n\tand so\n")
	f.Fuzz(func(t *testing.T, text string) {
		files := fstest.MapFS{dpkgStatus: {Data: []byte(text)}}
		all, err := readDpkg(t.Context(), Machine{Files: files})
		if err == nil {
			for _, s := range all {
				if s.Name == "" {
					t.Error("a package without a name")
				}
			}
		}
	})
}
