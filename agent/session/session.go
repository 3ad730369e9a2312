package session

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Commands runs a program and returns what it printed and its exit code.
type Commands interface {
	Run(ctx context.Context, program string, args ...string) ([]byte, int, error)
}

// Lock is how a desktop locks its screen.
type Lock struct {
	Desktop string
	Enabled bool
	// After is how long the screen is idle until it is locked.
	After time.Duration
	// Problem says why it is not known.
	Problem string
}

// Screen is the screen of one desktop session.
type Screen struct {
	Commands Commands
	// Current is XDG_CURRENT_DESKTOP: the desktop's names, the first its own.
	Current string
}

// desktop is a desktop that is known here.
type desktop struct {
	name string
	// locker is the name on the session's bus of what locks the screen.
	locker string
	read   func(ctx context.Context, s Screen) (bool, time.Duration, error)
}

var desktops = map[string]desktop{
	"GNOME":      {"GNOME", "org.gnome.ScreenSaver", gnome("org.gnome.desktop")},
	"X-Cinnamon": {"Cinnamon", "org.cinnamon.ScreenSaver", gnome("org.cinnamon.desktop")},
	"KDE":        {"KDE", "org.freedesktop.ScreenSaver", kde},
	"XFCE":       {"Xfce", "org.xfce.ScreenSaver", xfce},
}

// Read reads how the screen is locked now.
func (s Screen) Read(ctx context.Context) Lock {
	names := strings.Split(s.Current, ":")
	at := slices.IndexFunc(names, func(name string) bool { _, ok := desktops[name]; return ok })
	if at < 0 {
		return Lock{Desktop: s.Current, Problem: fmt.Sprintf("the desktop %q is not known", s.Current)}
	}
	d := desktops[names[at]]
	there, err := s.owned(ctx, d.locker)
	if err != nil {
		return Lock{Desktop: d.name, Problem: err.Error()}
	}
	if !there {
		return Lock{Desktop: d.name, Enabled: false}
	}
	enabled, after, err := d.read(ctx, s)
	if err != nil {
		return Lock{Desktop: d.name, Problem: err.Error()}
	}
	return Lock{Desktop: d.name, Enabled: enabled && after > 0, After: after}
}

// owned reports whether somebody owns a name on the session's bus.
func (s Screen) owned(ctx context.Context, name string) (bool, error) {
	out, err := s.ask(ctx, "/usr/bin/busctl", "--user", "call",
		"org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameHasOwner", "s", name)
	switch {
	case err != nil:
		return false, err
	case out == "b true":
		return true, nil
	case out == "b false":
		return false, nil
	}
	return false, fmt.Errorf("the session's bus answered %q", out)
}

// ask runs a program that must succeed.
func (s Screen) ask(ctx context.Context, program string, args ...string) (string, error) {
	out, exit, err := s.Commands.Run(ctx, program, args...)
	if err != nil {
		return "", err
	}
	if exit != 0 {
		return "", fmt.Errorf("%s ended with exit code %d", program, exit)
	}
	return strings.TrimSpace(string(out)), nil
}
