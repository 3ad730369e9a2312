//go:build !windows

package posture

import (
	"context"
	"strings"
)

// lockdownMac asks for System Integrity Protection, which keeps root out of the
// system's own files and the kernel (csrutil(8)); the answer is in English in
// every language. A custom configuration has parts switched off.
func lockdownMac(ctx context.Context, m Machine) outcome {
	answer, err := says(ctx, m, "/usr/bin/csrutil", "status")
	if err != nil {
		return cannot("System Integrity Protection does not answer: %v", err)
	}
	state, ok := strings.CutPrefix(answer, "System Integrity Protection status: ")
	state, _, _ = strings.Cut(state, "\n")
	switch {
	case !ok:
		return cannot("the answer about System Integrity Protection is not understood")
	case state == "enabled.":
		return passes(map[string]string{"sip": "enabled"})
	default:
		return fails(map[string]string{"sip": strings.TrimSuffix(state, ".")}, "System Integrity Protection is not fully on")
	}
}
