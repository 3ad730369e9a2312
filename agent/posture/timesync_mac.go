//go:build !windows

package posture

import "context"

// timeSyncMac reads whether macOS sets its clock by the network. That the last
// time was well set is not seen from here.
func timeSyncMac(ctx context.Context, m Machine) outcome {
	text, err := preference(ctx, m, "com.apple.timed", "TMAutomaticTimeOnlyEnabled")
	if err != nil {
		return cannot("%v", err)
	}
	switch on, known := truth(text); {
	case !known:
		return cannot("whether the clock is set by the network is not known")
	case !on:
		return fails(nil, "the clock is not set by the network")
	}
	return passes(map[string]string{"source": "network time"})
}
