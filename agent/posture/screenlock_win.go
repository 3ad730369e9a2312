//go:build !darwin

package posture

import (
	"context"
	"time"
)

const systemPolicies = `SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System`

// screenLockWin judges the machine's own limit, which holds for everybody
// ("Interactive logon: Machine inactivity limit"). What a person sets alone is
// not seen from here.
func screenLockWin(_ context.Context, m Machine) outcome {
	seconds, there, err := m.Windows.Number(systemPolicies, "InactivityTimeoutSecs")
	if err != nil {
		return cannot("the inactivity limit cannot be read: %v", err)
	}
	if !there {
		return cannot("no inactivity limit is set for the machine, and what persons set is not seen")
	}
	within := m.Settings.lockWithin()
	if seconds == 0 || seconds > uint64(within/time.Second) { // #nosec G115 -- a positive time
		return fails(map[string]string{"within": within.String()}, "the screen locks after %d seconds, more than %v", seconds, within)
	}
	return passes(map[string]string{"after": (time.Duration(seconds) * time.Second).String(), "within": within.String()}) // #nosec G115 -- at most within
}
