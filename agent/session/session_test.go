package session

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// said is what programs printed, by their command line. "exit N" is an exit
// code without a word.
type said map[string]string

func (s said) Run(_ context.Context, program string, args ...string) ([]byte, int, error) {
	line := strings.Join(append([]string{program}, args...), " ")
	out, ok := s[line]
	switch {
	case !ok:
		return nil, 0, errors.New("no such program: " + line)
	case out == "exit 1":
		return nil, 1, nil
	case out == "exit 3":
		return nil, 3, nil
	}
	return []byte(out + "\n"), 0, nil
}

func (s said) but(line, out string) said {
	next := said{}
	for l, o := range s {
		next[l] = o
	}
	if next[line] = out; out == "" {
		delete(next, line)
	}
	return next
}

func owner(name string) string {
	return "/usr/bin/busctl --user call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus NameHasOwner s " + name
}

func gsetting(part, key string) string {
	return "/usr/bin/gsettings get org.gnome.desktop." + part + " " + key
}

func kread(version, key, otherwise string) string {
	return "/usr/bin/kreadconfig" + version + " --file kscreenlockerrc --group Daemon --key " + key + " --default " + otherwise
}

func xfconf(property string) string {
	return "/usr/bin/xfconf-query -c xfce4-screensaver -p " + property
}

func TestDesktops(t *testing.T) {
	gnome := said{
		owner("org.gnome.ScreenSaver"): "b true", gsetting("screensaver", "lock-enabled"): "true", gsetting("screensaver", "lock-delay"): "uint32 30",
		gsetting("session", "idle-delay"): "uint32 300", gsetting("lockdown", "disable-lock-screen"): "false",
	}
	cinnamon := said{owner("org.cinnamon.ScreenSaver"): "b true"}
	for line, out := range gnome {
		cinnamon[strings.Replace(line, "org.gnome.desktop", "org.cinnamon.desktop", 1)] = out
	}
	kde := said{
		owner("org.freedesktop.ScreenSaver"): "b true", kread("5", "Autolock", "true"): "true", kread("5", "Timeout", "5"): "10", kread("5", "LockGrace", "5"): "5",
	}
	xfce := said{
		owner("org.xfce.ScreenSaver"): "b true", xfconf("/saver/enabled"): "exit 1", xfconf("/saver/idle-activation/enabled"): "true",
		xfconf("/saver/idle-activation/delay"): "7", xfconf("/lock/enabled"): "true", xfconf("/lock/saver-activation/enabled"): "exit 1",
		xfconf("/lock/saver-activation/delay"): "exit 1",
	}
	const unknown = -1
	for name, c := range map[string]struct {
		current string
		said    said
		want    time.Duration // 0 is not locked, -1 not known
	}{
		"GNOME":                      {"GNOME", gnome, 330 * time.Second},
		"Ubuntu":                     {"ubuntu:GNOME", gnome, 330 * time.Second},
		"GNOME, lock off":            {"GNOME", gnome.but(gsetting("screensaver", "lock-enabled"), "false"), 0},
		"GNOME, never idle":          {"GNOME", gnome.but(gsetting("session", "idle-delay"), "uint32 0"), 0},
		"GNOME, lock forbidden":      {"GNOME", gnome.but(gsetting("lockdown", "disable-lock-screen"), "true"), 0},
		"GNOME, nothing that locks":  {"GNOME", gnome.but(owner("org.gnome.ScreenSaver"), "b false"), 0},
		"GNOME, no bus":              {"GNOME", gnome.but(owner("org.gnome.ScreenSaver"), ""), unknown},
		"GNOME, odd bus":             {"GNOME", gnome.but(owner("org.gnome.ScreenSaver"), "s x"), unknown},
		"GNOME, no delay":            {"GNOME", gnome.but(gsetting("screensaver", "lock-delay"), ""), unknown},
		"GNOME, odd delay":           {"GNOME", gnome.but(gsetting("screensaver", "lock-delay"), "uint32 x"), unknown},
		"GNOME, odd idle":            {"GNOME", gnome.but(gsetting("session", "idle-delay"), "-1"), unknown},
		"GNOME, no idle":             {"GNOME", gnome.but(gsetting("session", "idle-delay"), "exit 1"), unknown},
		"GNOME, no lockdown":         {"GNOME", gnome.but(gsetting("lockdown", "disable-lock-screen"), "exit 1"), unknown},
		"GNOME, no lock-enabled":     {"GNOME", gnome.but(gsetting("screensaver", "lock-enabled"), "exit 1"), unknown},
		"GNOME, a delay of ages":     {"GNOME", gnome.but(gsetting("screensaver", "lock-delay"), "uint32 4294967295"), 300*time.Second + mostUnits*time.Second},
		"Cinnamon":                   {"X-Cinnamon", cinnamon, 330 * time.Second},
		"KDE 5":                      {"KDE", kde, 605 * time.Second},
		"KDE 6":                      {"KDE", kde.but(kread("6", "Timeout", "5"), "3"), 185 * time.Second},
		"KDE, lock off":              {"KDE", kde.but(kread("5", "Autolock", "true"), "false"), 0},
		"KDE, no time":               {"KDE", kde.but(kread("5", "Timeout", "5"), "0"), 0},
		"KDE, not there":             {"KDE", said{owner("org.freedesktop.ScreenSaver"): "b true"}, unknown},
		"KDE, no grace":              {"KDE", kde.but(kread("5", "LockGrace", "5"), "x"), unknown},
		"KDE, odd time":              {"KDE", kde.but(kread("5", "Timeout", "5"), "ten"), unknown},
		"Xfce":                       {"XFCE", xfce, 7 * time.Minute},
		"Xfce, saver off":            {"XFCE", xfce.but(xfconf("/saver/enabled"), "false"), 0},
		"Xfce, never idle":           {"XFCE", xfce.but(xfconf("/saver/idle-activation/enabled"), "false"), 0},
		"Xfce, lock off":             {"XFCE", xfce.but(xfconf("/lock/enabled"), "false"), 0},
		"Xfce, saver does not lock":  {"XFCE", xfce.but(xfconf("/lock/saver-activation/enabled"), "false"), 0},
		"Xfce, xscreensaver instead": {"XFCE", xfce.but(owner("org.xfce.ScreenSaver"), "b false"), 0},
		"Xfce, xfconf fails":         {"XFCE", xfce.but(xfconf("/lock/enabled"), "exit 3"), unknown},
		"Xfce, odd delay":            {"XFCE", xfce.but(xfconf("/lock/saver-activation/delay"), "x"), unknown},
		"Xfce, odd idle":             {"XFCE", xfce.but(xfconf("/saver/idle-activation/delay"), "x"), unknown},
		"another desktop":            {"sway", gnome, unknown},
		"no desktop":                 {"", gnome, unknown},
	} {
		got := Screen{Commands: c.said, Current: c.current}.Read(t.Context())
		switch {
		case c.want == unknown && (got.Problem == "" || got.Enabled):
			t.Errorf("%s: told as known: %+v", name, got)
		case c.want == 0 && (got.Enabled || got.Problem != ""):
			t.Errorf("%s: %+v, want it not locked", name, got)
		case c.want > 0 && (!got.Enabled || got.After != c.want || got.Problem != ""):
			t.Errorf("%s: %+v, want %v", name, got, c.want)
		}
	}
}
