//go:build !linux

package posture

import "context"

// unmeasured is a claim that this system has no collector for yet. It is an
// error, so nothing that asks for the claim lets this machine through.
func unmeasured(context.Context, Machine) outcome {
	return cannot("not measured on this system yet")
}
