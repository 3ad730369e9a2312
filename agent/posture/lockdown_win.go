//go:build !darwin

package posture

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// codeIntegrity is hypervisor-enforced code integrity among Win32_DeviceGuard's
// services: no unsigned code runs in the kernel.
const codeIntegrity = 2

func lockdownWin(ctx context.Context, m Machine) outcome {
	running, err := m.Windows.SecurityServices(ctx)
	if err != nil {
		return cannot("Device Guard does not answer: %v", err)
	}
	value := map[string]string{"services": strings.Trim(fmt.Sprint(running), "[]")}
	if slices.Contains(running, codeIntegrity) {
		return passes(value)
	}
	return fails(value, "memory integrity is off")
}
