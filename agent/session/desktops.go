package session

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// gnome reads the settings that GNOME, and desktops made from it, keep in a
// schema: seconds until idle, and from there until locked.
func gnome(schema string) func(context.Context, Screen) (bool, time.Duration, error) {
	return func(ctx context.Context, s Screen) (bool, time.Duration, error) {
		get := func(part, key string) (string, error) {
			return s.ask(ctx, "/usr/bin/gsettings", "get", schema+"."+part, key)
		}
		enabled, err := get("screensaver", "lock-enabled")
		if err != nil {
			return false, 0, err
		}
		forbidden, err := get("lockdown", "disable-lock-screen")
		if err != nil {
			return false, 0, err
		}
		idle, err := get("session", "idle-delay")
		if err != nil {
			return false, 0, err
		}
		delay, err := get("screensaver", "lock-delay")
		if err != nil {
			return false, 0, err
		}
		untilIdle, err := number(strings.TrimPrefix(idle, "uint32 "), time.Second)
		if err != nil {
			return false, 0, err
		}
		untilLocked, err := number(strings.TrimPrefix(delay, "uint32 "), time.Second)
		if err != nil {
			return false, 0, err
		}
		// An idle delay of 0 is never.
		return enabled == "true" && forbidden == "false" && untilIdle > 0, untilIdle + untilLocked, nil
	}
}

// kde reads kscreenlockerrc over its defaults: minutes until the screen locks,
// and seconds of grace after that.
func kde(ctx context.Context, s Screen) (bool, time.Duration, error) {
	get := func(key, otherwise string) (string, error) {
		args := []string{"--file", "kscreenlockerrc", "--group", "Daemon", "--key", key, "--default", otherwise}
		out, err := s.ask(ctx, "/usr/bin/kreadconfig6", args...)
		if err != nil {
			return s.ask(ctx, "/usr/bin/kreadconfig5", args...)
		}
		return out, nil
	}
	enabled, err := get("Autolock", "true")
	if err != nil {
		return false, 0, err
	}
	timeout, err := get("Timeout", "5")
	if err != nil {
		return false, 0, err
	}
	grace, err := get("LockGrace", "5")
	if err != nil {
		return false, 0, err
	}
	minutes, err := number(timeout, time.Minute)
	if err != nil {
		return false, 0, err
	}
	seconds, err := number(grace, time.Second)
	if err != nil {
		return false, 0, err
	}
	return enabled == "true" && minutes > 0, minutes + seconds, nil
}

// xfce reads xfce4-screensaver's properties over its defaults: minutes until
// the screen saver comes, and from there until the screen locks.
func xfce(ctx context.Context, s Screen) (bool, time.Duration, error) {
	for _, property := range []string{"/saver/enabled", "/saver/idle-activation/enabled", "/lock/enabled", "/lock/saver-activation/enabled"} {
		value, err := s.xfconf(ctx, property, "true")
		if err != nil || value != "true" {
			return false, 0, err
		}
	}
	idle, err := s.xfconf(ctx, "/saver/idle-activation/delay", "5")
	if err != nil {
		return false, 0, err
	}
	delay, err := s.xfconf(ctx, "/lock/saver-activation/delay", "0")
	if err != nil {
		return false, 0, err
	}
	untilIdle, err := number(idle, time.Minute)
	if err != nil {
		return false, 0, err
	}
	untilLocked, err := number(delay, time.Minute)
	if err != nil {
		return false, 0, err
	}
	return untilIdle > 0, untilIdle + untilLocked, nil
}

// xfconf reads a property of the screen saver; one that is not set, for which
// xfconf-query ends with 1, has its default.
func (s Screen) xfconf(ctx context.Context, property, otherwise string) (string, error) {
	out, exit, err := s.Commands.Run(ctx, "/usr/bin/xfconf-query", "-c", "xfce4-screensaver", "-p", property)
	switch {
	case err != nil:
		return "", err
	case exit == 1:
		return otherwise, nil
	case exit != 0:
		return "", fmt.Errorf("xfconf-query ended with exit code %d", exit)
	}
	return strings.TrimSpace(string(out)), nil
}

// mostUnits bounds a delay, so that it cannot run over.
const mostUnits = 1 << 20

func number(text string, unit time.Duration) (time.Duration, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%q is no number of seconds or minutes", text)
	}
	return time.Duration(min(n, mostUnits)) * unit, nil // #nosec G115 -- bounded
}
