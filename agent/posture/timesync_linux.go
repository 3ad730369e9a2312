package posture

import "context"

// timeSync passes when the kernel counts its clock as kept by a time source:
// NTP daemons clear its flag only while they follow one.
func timeSync(_ context.Context, m Machine) outcome {
	if m.KernelClock == nil {
		return cannot("the kernel's clock is not asked here")
	}
	synchronised, err := m.KernelClock()
	switch {
	case err != nil:
		return cannot("%v", err)
	case !synchronised:
		return fails(nil, "the kernel's clock follows no time server")
	}
	return passes(nil)
}
