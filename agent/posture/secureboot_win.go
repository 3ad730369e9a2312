//go:build !darwin

package posture

import "context"

const secureBootState = `SYSTEM\CurrentControlSet\Control\SecureBoot\State`

// secureBootWin reads what Windows was told by the firmware. A machine that
// starts without UEFI has no such value, and no Secure Boot.
func secureBootWin(_ context.Context, m Machine) outcome {
	on, there, err := m.Windows.Number(secureBootState, "UEFISecureBootEnabled")
	switch {
	case err != nil:
		return cannot("Secure Boot's state cannot be read: %v", err)
	case !there:
		return fails(nil, "this machine does not start by UEFI")
	case on != 1:
		return fails(nil, "Secure Boot is off")
	}
	return passes(nil)
}
