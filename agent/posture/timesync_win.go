//go:build !darwin

package posture

import "context"

const timeParameters = `SYSTEM\CurrentControlSet\Services\W32Time\Parameters`

// timeSyncWin passes when the time service runs, or starts when it is needed,
// and has a source. That the last time was well set is not seen from here.
func timeSyncWin(_ context.Context, m Machine) outcome {
	kind, there, err := m.Windows.Text(timeParameters, "Type")
	if err != nil {
		return cannot("the time service's source cannot be read: %v", err)
	}
	if !there {
		return cannot("the time service has no source")
	}
	value := map[string]string{"type": kind}
	switch kind {
	case "NTP", "NT5DS", "AllSync":
	case "NoSync":
		return fails(value, "the clock is not set by the network")
	default:
		return cannot("the time service has the odd source %.20q", kind)
	}
	runs, err := m.Windows.ServiceRuns("W32Time")
	if err != nil {
		return cannot("the time service does not answer: %v", err)
	}
	if !runs {
		return fails(value, "the time service is disabled")
	}
	return passes(value)
}
