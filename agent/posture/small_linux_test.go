package posture

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

func TestTimeSync(t *testing.T) {
	question := "/usr/bin/busctl " + strings.Join(timedated[:], " ")
	for name, c := range map[string]struct {
		said    Commands
		state   wire.ClaimState
		problem string
	}{
		"kept":       {said{question: "b true\n"}, wire.ClaimPass, ""},
		"free":       {said{question: "b false\n"}, wire.ClaimFail, "no time server"},
		"no bus":     {said{question: "exit 2\nb true\n"}, wire.ClaimError, "exit code 2"},
		"odd answer": {said{question: "s true\n"}, wire.ClaimError, "s true"},
		"no busctl":  {said{}, wire.ClaimError, "timedated"},
		"not asked":  {nil, wire.ClaimError, "no program"},
	} {
		t.Run(name, func(t *testing.T) {
			m := recorded{}.with(func(m *Machine) { m.Commands = c.said })
			expect(t, timeSync(t.Context(), m), c.state, c.problem)
		})
	}
}

func TestKernelLockdown(t *testing.T) {
	const file = "sys/kernel/security/lockdown"
	for name, c := range map[string]struct {
		machine recorded
		state   wire.ClaimState
		problem string
	}{
		"integrity":       {recorded{}.file(file, "none [integrity] confidentiality\n"), wire.ClaimPass, ""},
		"confidentiality": {recorded{}.file(file, "none integrity [confidentiality]\n"), wire.ClaimPass, ""},
		"off":             {recorded{}.file(file, "[none] integrity confidentiality\n"), wire.ClaimFail, "off"},
		"none chosen":     {recorded{}.file(file, "none integrity confidentiality\n"), wire.ClaimError, "odd"},
		"another mode":    {recorded{}.file(file, "none [paranoia]\n"), wire.ClaimError, "odd"},
		"empty":           {recorded{}.file(file, ""), wire.ClaimError, "odd"},
		"not built":       {recorded{}.file("sys/kernel/security/lsm", "capability"), wire.ClaimFail, "no lockdown"},
		"not mounted":     {recorded{}, wire.ClaimError, "not mounted"},
	} {
		t.Run(name, func(t *testing.T) { expect(t, c.machine.run(kernelLockdown), c.state, c.problem) })
	}
}

func TestAdministrators(t *testing.T) {
	const (
		passwd = "root:x:0:0::/root:/bin/bash\nann:x:1000:1000::/home/ann:/bin/bash\nbob:x:1001:1001::/home/bob:/bin/bash\n"
		group  = "root:x:0:\nsudo:x:27:ann\n"
	)
	machine := func(passwd, group string) recorded {
		return recorded{}.file("etc/passwd", passwd).file("etc/group", group).file("etc/nsswitch.conf", "group: files systemd\n")
	}
	directory := func(out string) Machine {
		m := machine(passwd, group).file("etc/nsswitch.conf", "passwd: files\ngroup: files [SUCCESS=merge] sss # x\n").
			says(said{"/usr/bin/getent group sudo wheel admin": out})
		m.Settings.Administrators = []string{"ann"}
		return m
	}
	listed := func(r recorded, names ...string) Machine {
		return r.with(func(m *Machine) { m.Settings.Administrators = names })
	}
	for name, c := range map[string]struct {
		machine Machine
		state   wire.ClaimState
		problem string
	}{
		"as listed":            {listed(machine(passwd, group), "ann"), wire.ClaimPass, ""},
		"nobody":               {listed(machine(passwd, "sudo:x:27:\n")), wire.ClaimPass, ""},
		"not listed":           {listed(machine(passwd, group)), wire.ClaimFail, "ann"},
		"second user 0":        {listed(machine(passwd+"toor:x:0:0::/:/bin/sh\n", group), "ann"), wire.ClaimFail, "toor"},
		"as primary group":     {listed(machine(passwd+"eve:x:1002:27::/:/bin/sh\n", group), "ann"), wire.ClaimFail, "eve"},
		"wheel":                {listed(machine(passwd, group+"wheel:x:10:ann,bob\n"), "ann"), wire.ClaimFail, "bob"},
		"admin":                {listed(machine(passwd, group+"admin:x:11:bob\n"), "ann"), wire.ClaimFail, "bob"},
		"odd group":            {listed(machine(passwd, group+"wheel:x:10\n"), "ann"), wire.ClaimError, "odd line"},
		"odd passwd":           {listed(machine(passwd+"toor:x:0\n", group), "ann"), wire.ClaimError, "odd line"},
		"no group file":        {listed(recorded{}.file("etc/passwd", passwd), "ann"), wire.ClaimError, "group"},
		"no passwd file":       {listed(recorded{}.file("etc/group", group), "ann"), wire.ClaimError, "passwd"},
		"without nsswitch":     {listed(recorded{}.file("etc/passwd", passwd).file("etc/group", group), "ann"), wire.ClaimPass, ""},
		"directory agrees":     {directory("sudo:x:27:ann\n"), wire.ClaimPass, ""},
		"directory adds one":   {directory("sudo:x:27:ann\nwheel:*:5000:carol\n"), wire.ClaimFail, "carol"},
		"a group is not there": {directory("exit 2\nsudo:x:27:ann,dave\n"), wire.ClaimFail, "dave"},
		"directory is silent": {machine(passwd, group).file("etc/nsswitch.conf", "group: files ldap\n").says(said{}),
			wire.ClaimError, "name service"},
	} {
		t.Run(name, func(t *testing.T) { expect(t, administrators(t.Context(), c.machine), c.state, c.problem) })
	}
}

func TestUSBStorage(t *testing.T) {
	usb := func() recorded {
		return recorded{}.file("sys/bus/usb/devices/usb1/speed", "480").file("proc/cmdline", "ro quiet\n")
	}
	const blocked = "blacklist usb-storage\ninstall uas /bin/false\n"
	guard := func(state string) said { return said{}.shows(state, "usbguard.service") }
	for name, c := range map[string]struct {
		machine Machine
		state   wire.ClaimState
		problem string
	}{
		"blocked":           {usb().file("etc/modprobe.d/usb.conf", blocked).machine(), wire.ClaimPass, ""},
		"by command line":   {usb().file("proc/cmdline", "module_blacklist=usb-storage,uas").machine(), wire.ClaimPass, ""},
		"open":              {usb().machine(), wire.ClaimFail, "plugged in"},
		"uas alone is open": {usb().file("etc/modprobe.d/usb.conf", "blacklist usb_storage\n").machine(), wire.ClaimFail, "uas"},
		"loaded all the same": {usb().file("etc/modprobe.d/usb.conf", blocked).file("sys/module/usb_storage/refcnt", "0").machine(),
			wire.ClaimFail, "usb_storage is loaded"},
		"in a comment": {usb().file("etc/modprobe.d/usb.conf", "# "+"blacklist usb-storage\n#install uas /bin/false\n").machine(), wire.ClaimFail, "plugged in"},
		"installed by a program": {usb().file("etc/modprobe.d/usb.conf", "install usb-storage /sbin/modprobe --ignore-install usb-storage\ninstall uas /bin/true\n").machine(),
			wire.ClaimFail, "usb_storage"},
		"overridden by an empty file": {usb().file("usr/lib/modprobe.d/usb.conf", blocked).file("etc/modprobe.d/usb.conf", "").machine(), wire.ClaimFail, "plugged in"},
		"not a configuration file":    {usb().file("etc/modprobe.d/usb.conf.bak", blocked).machine(), wire.ClaimFail, "plugged in"},
		"continued line":              {usb().file("etc/modprobe.d/usb.conf", "blacklist \\\nusb-storage\nblacklist uas\n").machine(), wire.ClaimPass, ""},
		"USBGuard":                    {usb().says(guard("loaded active")), wire.ClaimManual, "USBGuard"},
		"USBGuard stopped":            {usb().says(guard("loaded inactive")), wire.ClaimFail, "plugged in"},
		"no sysfs":                    {recorded{}.machine(), wire.ClaimError, "sysfs"},
		"no USB":                      {recorded{}.file("sys/bus/pci/x", "").machine(), wire.ClaimNotApplicable, "no USB"},
		"no command line":             {recorded{}.file("sys/bus/usb/devices/usb1/speed", "480").machine(), wire.ClaimError, "cmdline"},
	} {
		t.Run(name, func(t *testing.T) { expect(t, usbStorage(t.Context(), c.machine), c.state, c.problem) })
	}
}

func TestScreenLock(t *testing.T) {
	session := func(kind, class, uid string) string {
		return "UID=" + uid + "\nTYPE=" + kind + "\nCLASS=" + class + "\nSTATE=active\n"
	}
	desktop := func() recorded { return recorded{}.file("run/systemd/sessions/2", session("wayland", "user", "1000")) }
	report := func(change func(*ScreenLock)) []ScreenLock {
		r := ScreenLock{UID: 1000, Desktop: "GNOME", Enabled: true, After: 10 * time.Minute, At: recordedNow.Add(-time.Minute)}
		change(&r)
		return []ScreenLock{r}
	}
	as := func(r recorded, reports []ScreenLock) Machine {
		return r.with(func(m *Machine) { m.ScreenLocks = func() []ScreenLock { return reports } })
	}
	good := report(func(*ScreenLock) {})
	for name, c := range map[string]struct {
		machine Machine
		state   wire.ClaimState
		problem string
	}{
		"locks":            {as(desktop(), good), wire.ClaimPass, ""},
		"never":            {as(desktop(), report(func(r *ScreenLock) { r.Enabled = false })), wire.ClaimFail, "does not lock"},
		"too late":         {as(desktop(), report(func(r *ScreenLock) { r.After = 16 * time.Minute })), wire.ClaimFail, "16m"},
		"no time":          {as(desktop(), report(func(r *ScreenLock) { r.After = 0 })), wire.ClaimFail, "0s"},
		"cannot tell":      {as(desktop(), report(func(r *ScreenLock) { r.Problem = "unknown desktop" })), wire.ClaimError, "unknown desktop"},
		"old report":       {as(desktop(), report(func(r *ScreenLock) { r.At = recordedNow.Add(-6 * time.Minute) })), wire.ClaimError, "lately"},
		"report to come":   {as(desktop(), report(func(r *ScreenLock) { r.At = recordedNow.Add(time.Minute) })), wire.ClaimError, "lately"},
		"another's report": {as(desktop(), report(func(r *ScreenLock) { r.UID = 1001 })), wire.ClaimError, "user 1000"},
		"no report":        {as(desktop(), nil), wire.ClaimError, "user 1000"},
		"nobody reports":   {desktop().machine(), wire.ClaimError, "user 1000"},
		"two people, one report": {as(desktop().file("run/systemd/sessions/3", session("x11", "user", "1001")), good),
			wire.ClaimError, "user 1001"},
		"headless":    {as(recorded{}.file("run/systemd/sessions/1", session("tty", "user", "1000")), nil), wire.ClaimNotApplicable, "nobody"},
		"greeter":     {as(recorded{}.file("run/systemd/sessions/c1", session("x11", "greeter", "110")), nil), wire.ClaimNotApplicable, "nobody"},
		"odd session": {as(recorded{}.file("run/systemd/sessions/1", session("x11", "user", "x")), nil), wire.ClaimError, "odd user"},
		"no logind":   {as(recorded{}, good), wire.ClaimError, "logind"},
		"stricter rule": {desktop().with(func(m *Machine) {
			m.ScreenLocks, m.Settings.LockWithin = func() []ScreenLock { return good }, time.Minute
		}), wire.ClaimFail, "10m"},
	} {
		t.Run(name, func(t *testing.T) { expect(t, screenLock(t.Context(), c.machine), c.state, c.problem) })
	}
}

func TestHasDesktop(t *testing.T) {
	r := recorded{}.file("run/systemd/sessions/2", "UID=1000\nTYPE=wayland\nCLASS=user\nSTATE=active\n").
		file("run/systemd/sessions/c1", "UID=110\nTYPE=wayland\nCLASS=greeter\nSTATE=active\n").
		file("run/systemd/sessions/3", "UID=1001\nTYPE=tty\nCLASS=user\nSTATE=active\n")
	m := r.with(func(*Machine) {})
	for uid, want := range map[uint32]bool{1000: true, 110: false, 1001: false, 100000: false} {
		if m.HasDesktop(uid) != want {
			t.Errorf("user %d: %v", uid, !want)
		}
	}
	if (recorded{}.with(func(*Machine) {})).HasDesktop(1000) {
		t.Error("a machine without logind has desktops")
	}
}

// TestWhatIsKeptIsMeasuredAnewWhenAFileChanges, when it grows old, and when it
// is asked to.
func TestWhatIsKeptIsMeasuredAnewWhenAFileChanges(t *testing.T) {
	runs, now := 0, recordedNow
	r := recorded{}.file("etc/x", "1").changed("etc/x", time.Hour)
	s := &Set{machine: r.with(func(m *Machine) { m.Clock = func() time.Time { return now } }), memory: &memory{kept: map[wire.ClaimID]kept{}}, collectors: []collector{{
		id: wire.ClaimOSUpdates, source: "x", keep: keep{while: time.Minute, files: []string{"etc/x", "etc/none"}},
		measure: func(context.Context, Machine) outcome { runs++; return passes(nil) },
	}}}
	measure := func(want int, why string) {
		t.Helper()
		at := s.Measure(t.Context()).Claims[0].MeasuredAt
		if runs != want {
			t.Errorf("%s: %d runs, want %d", why, runs, want)
		}
		if now.Sub(at) > time.Minute {
			t.Errorf("%s: measured at %v", why, at)
		}
	}
	measure(1, "first")
	now = now.Add(30 * time.Second)
	measure(1, "kept")
	r.changed("etc/x", time.Second)
	measure(2, "the file changed")
	now = now.Add(time.Minute)
	measure(3, "grown old")
	now = now.Add(-time.Hour)
	measure(4, "the clock went back")
	s.Forget()
	measure(5, "asked to")
	r.file("etc/none", "")
	measure(6, "a file came")
}
