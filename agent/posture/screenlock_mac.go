//go:build !windows

package posture

import (
	"context"
	"strconv"
	"time"
)

// screenLockMac judges what a management profile sets for everybody: after how
// many idle seconds the screen saver starts, and how much later a password is
// asked. What a person sets alone is not seen from here.
func screenLockMac(ctx context.Context, m Machine) outcome {
	idle, err := managedNumber(ctx, m, "idleTime")
	if err != nil {
		return cannot("%v", err)
	}
	delay, err := managedNumber(ctx, m, "askForPasswordDelay")
	if err != nil {
		return cannot("%v", err)
	}
	ask, err := preference(ctx, m, "com.apple.screensaver", "askForPassword")
	if err != nil {
		return cannot("%v", err)
	}
	if idle < 0 || delay < 0 || ask == "" {
		return cannot("no management profile sets the screen lock, and what persons set is not seen")
	}
	within := m.Settings.lockWithin()
	after := time.Duration(idle+delay) * time.Second
	value := map[string]string{"after": after.String(), "within": within.String()}
	switch on, known := truth(ask); {
	case !known:
		return cannot("askForPassword has the odd value %.20q", ask)
	case !on:
		return fails(value, "no password is asked after the screen saver")
	case idle == 0 || after > within:
		return fails(value, "the screen locks after %v, more than %v", after, within)
	}
	return passes(value)
}

// managedNumber is a number of the screen saver's preferences, -1 if nothing
// sets it.
func managedNumber(ctx context.Context, m Machine, key string) (int, error) {
	text, err := preference(ctx, m, "com.apple.screensaver", key)
	if err != nil || text == "" {
		return -1, err
	}
	return strconv.Atoi(text)
}
