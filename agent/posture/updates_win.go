//go:build !darwin

package posture

import "context"

// osUpdatesWin judges what Windows Update found. An update that waits for a
// restart is not in force yet.
func osUpdatesWin(ctx context.Context, m Machine) outcome {
	state, err := m.Windows.Updates(ctx)
	if err != nil {
		return cannot("Windows Update does not answer: %v", err)
	}
	if state.Searched.IsZero() {
		return cannot("when updates were last searched for is not known")
	}
	o := judgeUpdates(state.Waiting, state.Searched, m.Clock())
	if o.problem == "" && state.Restart {
		return fails(o.value, "an update waits for a restart")
	}
	return o
}
