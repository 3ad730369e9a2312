package posture

import (
	"context"
	"errors"
	"io/fs"
	"strings"
)

// kernelLockdown passes in the modes integrity and confidentiality
// (kernel_lockdown(7)): not even root changes the running kernel then.
func kernelLockdown(_ context.Context, m Machine) outcome {
	raw, err := read(m.Files, "sys/kernel/security/lockdown", 256)
	if errors.Is(err, fs.ErrNotExist) {
		// Without this file securityfs may not be mounted, which says nothing.
		if _, err := fs.Stat(m.Files, "sys/kernel/security/lsm"); err != nil {
			return cannot("securityfs is not mounted")
		}
		return fails(nil, "this kernel has no lockdown")
	}
	if err != nil {
		return cannot("reading the lockdown mode: %v", err)
	}
	for _, mode := range strings.Fields(string(raw)) {
		chosen, ok := strings.CutPrefix(mode, "[")
		if !ok {
			continue
		}
		switch chosen = strings.TrimSuffix(chosen, "]"); chosen {
		case "integrity", "confidentiality":
			return passes(map[string]string{"mode": chosen})
		case "none":
			return fails(map[string]string{"mode": chosen}, "lockdown is off")
		}
	}
	return cannot("odd lockdown mode %q", strings.TrimSpace(string(raw)))
}
