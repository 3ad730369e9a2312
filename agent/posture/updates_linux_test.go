package posture

import (
	"bytes"
	"compress/gzip"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

const (
	securityList = "var/lib/apt/lists/deb.debian.org_debian-security_dists_bookworm-security_main_binary-amd64_Packages"
	plainList    = "var/lib/apt/lists/deb.debian.org_debian_dists_bookworm_main_binary-amd64_Packages"
)

func pack(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return b.String()
}

func TestDebianUpdates(t *testing.T) {
	const status = "Package: openssl\nStatus: install ok installed\nArchitecture: amd64\nVersion: 3.0.11-1\n\n" +
		"Package: tzdata\nStatus: hold ok installed\nArchitecture: all\nVersion: 2026a-0+deb12u1\nDescription: zones\n Version: 9\n\n" +
		"Package: gone\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 1\n"
	entry := func(name, architecture, version string) string {
		return "Package: " + name + "\nArchitecture: " + architecture + "\nVersion: " + version + "\n\n"
	}
	machine := func(list string) recorded {
		return recorded{}.file(dpkgStatus, status).file(securityList, list).changed("var/lib/apt/lists/partial", time.Hour).changed(securityList, 90*24*time.Hour)
	}
	for name, c := range map[string]struct {
		machine Machine
		state   wire.ClaimState
		problem string
	}{
		"up to date":           {machine(entry("openssl", "amd64", "3.0.11-1")).machine(), wire.ClaimPass, ""},
		"older in the index":   {machine(entry("openssl", "amd64", "3.0.9-1")).machine(), wire.ClaimPass, ""},
		"an update":            {machine(entry("openssl", "amd64", "3.0.11-1~deb12u2") + entry("openssl", "amd64", "3.0.13-1")).machine(), wire.ClaimFail, "1 security updates are waiting: openssl"},
		"held back":            {machine(entry("tzdata", "all", "2026b-0+deb12u1")).machine(), wire.ClaimFail, "tzdata"},
		"no more installed":    {machine(entry("gone", "amd64", "2")).machine(), wire.ClaimPass, ""},
		"another architecture": {machine(entry("openssl", "arm64", "9")).machine(), wire.ClaimPass, ""},
		"not a security suite": {machine(entry("openssl", "amd64", "3.0.11-1")).file(plainList, entry("openssl", "amd64", "9")).machine(), wire.ClaimPass, ""},
		"no security suite":    {recorded{}.file(dpkgStatus, status).file(plainList, entry("openssl", "amd64", "9")).machine(), wire.ClaimError, "no index"},
		"fetched long ago":     {machine("").changed("var/lib/apt/lists/partial", 8*24*time.Hour).machine(), wire.ClaimError, "fetched last"},
		"nothing installed":    {machine("").file(dpkgStatus, "").machine(), wire.ClaimError, "no package"},
		"no lists":             {recorded{}.file(dpkgStatus, status).machine(), wire.ClaimError, "indexes"},
		"an endless line":      {machine("Package: openssl\nX: " + strings.Repeat("x", maxStanzaLine) + "\n").machine(), wire.ClaimError, "too long"},
		"gzip": {func() Machine {
			r := machine("")
			r.file(securityList+".gz", pack(entry("openssl", "amd64", "9")))
			return r.machine()
		}(), wire.ClaimFail, "openssl"},
		"broken gzip":            {machine("").file(securityList+".gz", "x").machine(), wire.ClaimError, ""},
		"lz4 by apt's own":       {machine("").file(securityList+".lz4", "x").says(said{"/usr/lib/apt/apt-helper cat-file /" + securityList + ".lz4": entry("openssl", "amd64", "9")}), wire.ClaimFail, "openssl"},
		"lz4 that apt refuses":   {machine("").file(securityList+".lz4", "x").says(said{"/usr/lib/apt/apt-helper cat-file /" + securityList + ".lz4": "exit 2\n"}), wire.ClaimError, "exit code 2"},
		"lz4 without any helper": {machine("").file(securityList+".lz4", "x").machine(), wire.ClaimError, "no program"},
		"neither dpkg nor rpm":   {recorded{}.machine(), wire.ClaimError, "neither"},
	} {
		t.Run(name, func(t *testing.T) { expect(t, osUpdates(t.Context(), c.machine), c.state, c.problem) })
	}
	many := strings.Builder{}
	installed := strings.Builder{}
	for i := range 12 {
		name := "p" + string(rune('a'+i))
		installed.WriteString("Package: " + name + "\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n")
		many.WriteString(entry(name, "amd64", "2"))
	}
	got := osUpdates(t.Context(), machine(many.String()).file(dpkgStatus, installed.String()).file("run/reboot-required", "").machine())
	if !strings.HasSuffix(got.problem, "ph and 4 more") || got.value["security"] != "12" || got.value["restart"] != "required" {
		t.Errorf("%+v", got)
	}
}

func TestRPMUpdates(t *testing.T) {
	const file = "var/cache/dnf/baseos-1/repodata/abc-updateinfo.xml"
	update := func(kind, module, version, release string) string {
		return `<updates><update type="` + kind + `"><id>X</id><pkglist><collection>` + module +
			`<package name="openssl-libs" epoch="1" version="` + version + `" release="` + release + `" arch="x86_64"><filename>x</filename></package></collection></pkglist></update></updates>`
	}
	query := "/usr/bin/rpm -qa --qf " + rpmQuery
	const have = "kernel\t0\t5.14.0\t400\tx86_64\nopenssl-libs\t1\t3.0.7\t24.el9\tx86_64\nopenssl-libs\t1\t3.0.7\t20.el9\tx86_64\n"
	machine := func(xml string) recorded {
		return recorded{}.changed("var/lib/rpm", time.Hour).file(file, xml).changed(file, time.Hour)
	}
	asked := func(r recorded) Machine { return r.says(said{query: have}) }
	nodejs := `<module name="nodejs" stream="20" version="1" context="a" arch="x86_64"/>`
	for name, c := range map[string]struct {
		machine Machine
		state   wire.ClaimState
		problem string
	}{
		"up to date":         {asked(machine(update("security", "", "3.0.7", "24.el9"))), wire.ClaimPass, ""},
		"an update":          {asked(machine(update("security", "", "3.0.7", "27.el9"))), wire.ClaimFail, "openssl-libs"},
		"a bug fix":          {asked(machine(update("bugfix", "", "3.0.7", "27.el9"))), wire.ClaimPass, ""},
		"of another stream":  {asked(machine(update("security", nodejs, "9", "1"))), wire.ClaimPass, ""},
		"of our stream":      {asked(machine(update("security", nodejs, "9", "1")).file("etc/dnf/modules.d/nodejs.module", "[nodejs]\nname=nodejs\nstream=20\nstate=enabled\n")), wire.ClaimFail, "openssl-libs"},
		"of a reset stream":  {asked(machine(update("security", nodejs, "9", "1")).file("etc/dnf/modules.d/nodejs.module", "[nodejs]\nstream=20\nstate=\n")), wire.ClaimPass, ""},
		"gzip":               {asked(machine(update("security", "", "3.0.7", "24.el9")).file(file+".gz", pack(update("security", "", "3.0.8", "1"))).changed(file+".gz", 0)), wire.ClaimFail, "openssl-libs"},
		"another compressor": {asked(machine("<updates/>").file(file+".zck", "x")), wire.ClaimError, "compression"},
		"cut short":          {asked(machine(`<updates><update type="security">`)), wire.ClaimError, "EOF"},
		"old cache":          {asked(machine(update("security", "", "1", "1")).changed(file, 9*24*time.Hour)), wire.ClaimError, "fetched last"},
		"no advisories":      {asked(recorded{}.changed("var/lib/rpm", time.Hour)), wire.ClaimError, "makecache"},
		"no rpm":             {machine("<updates/>").says(said{}), wire.ClaimError, "rpm"},
		"rpm names nothing":  {machine("<updates/>").says(said{query: ""}), wire.ClaimError, "0 packages"},
		"rpm fails midway":   {machine("<updates/>").says(said{query: "exit 2\n" + have}), wire.ClaimError, "exit code 2"},
		"an odd line":        {machine("<updates/>").says(said{query: "x\n"}), wire.ClaimError, "odd line"},
	} {
		t.Run(name, func(t *testing.T) { expect(t, osUpdates(t.Context(), c.machine), c.state, c.problem) })
	}
}

func TestAutomaticUpdates(t *testing.T) {
	debian := func() recorded { return recorded{}.file(dpkgStatus, "x").file(aptUpgrader, "x") }
	timers := func(settings, states string) said {
		s := said{"/usr/bin/apt-config dump --format %f=%v%n": settings}
		return s.shows(states, "apt-daily.timer", "apt-daily-upgrade.timer")
	}
	const (
		on      = "APT::Periodic::Update-Package-Lists=1\nAPT::Periodic::Unattended-Upgrade=always\n"
		running = "loaded active,loaded active"
	)
	rpm := func() recorded { return recorded{}.changed("var/lib/rpm", time.Hour) }
	dnf := func(states string) said { return said{}.shows(states, dnfTimers[:]...) }
	for name, c := range map[string]struct {
		machine Machine
		state   wire.ClaimState
		problem string
	}{
		"apt":                  {debian().says(timers(on, running)), wire.ClaimPass, ""},
		"apt, switched off":    {debian().says(timers(on+aptEnable+"=0\n", running)), wire.ClaimFail, aptEnable},
		"apt, no lists":        {debian().says(timers(strings.Replace(on, "Lists=1", "Lists=0", 1), running)), wire.ClaimFail, aptLists},
		"apt, no upgrade":      {debian().says(timers("APT::Periodic::Update-Package-Lists=1\n", running)), wire.ClaimFail, aptUnattended},
		"apt, not installed":   {recorded{}.file(dpkgStatus, "x").says(timers(on, running)), wire.ClaimFail, "not installed"},
		"apt, a timer stopped": {debian().says(timers(on, "loaded active,loaded inactive")), wire.ClaimFail, "apt-daily-upgrade.timer"},
		"apt, the other one":   {debian().says(timers(on, "masked inactive,loaded active")), wire.ClaimFail, "apt-daily.timer"},
		"apt-config fails":     {debian().says(timers("exit 2\n", running)), wire.ClaimError, "exit code 2"},
		"no apt-config":        {debian().says(said{}), wire.ClaimError, "apt"},
		"no systemd":           {debian().says(said{"/usr/bin/apt-config dump --format %f=%v%n": on}), wire.ClaimError, "systemd"},
		"dnf installs":         {rpm().says(dnf("loaded active,not-found inactive,not-found inactive")), wire.ClaimPass, ""},
		"dnf by its file":      {rpm().file("etc/dnf/automatic.conf", "[commands]\napply_updates = yes\n").says(dnf("not-found inactive,not-found inactive,loaded active")), wire.ClaimPass, ""},
		"dnf downloads alone":  {rpm().file("etc/dnf/automatic.conf", "[commands]\napply_updates = no\n[x]\napply_updates = yes\n").says(dnf("not-found inactive,not-found inactive,loaded active")), wire.ClaimFail, "apply_updates"},
		"dnf5 without a file":  {rpm().says(dnf("not-found inactive,loaded active,not-found inactive")), wire.ClaimFail, "apply_updates"},
		"dnf, no timer":        {rpm().says(dnf("not-found inactive,not-found inactive,loaded inactive")), wire.ClaimFail, "no timer"},
		"neither":              {recorded{}.machine(), wire.ClaimError, "neither"},
	} {
		t.Run(name, func(t *testing.T) { expect(t, autoUpdates(t.Context(), c.machine), c.state, c.problem) })
	}
}
