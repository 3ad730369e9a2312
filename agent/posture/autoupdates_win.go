//go:build !darwin

package posture

import (
	"context"
	"strconv"
)

// scheduled is aunlScheduledInstallation: Windows loads and installs updates by
// itself (AutomaticUpdatesNotificationLevel).
const scheduled = 4

const updatePolicy = `SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate\AU`

// autoUpdatesWin judges the effective level. A policy that switches automatic
// updates off wins over it.
func autoUpdatesWin(ctx context.Context, m Machine) outcome {
	off, there, err := m.Windows.Number(updatePolicy, "NoAutoUpdate")
	if err != nil {
		return cannot("the policy on updates cannot be read: %v", err)
	}
	if there && off == 1 {
		return fails(nil, "a policy switches automatic updates off")
	}
	state, err := m.Windows.Updates(ctx)
	if err != nil {
		return cannot("Windows Update does not answer: %v", err)
	}
	value := map[string]string{"level": strconv.Itoa(state.Level)}
	switch {
	case state.Level == scheduled:
		return passes(value)
	case state.Level >= 1 && state.Level < scheduled:
		return fails(value, "updates are not installed by themselves")
	}
	return cannot("how updates are installed is not known: level %d", state.Level)
}
