package wire

import "time"

// SignalStatuses are the statuses of a stream of events (SSF 1.0, 8.1.2.1),
// SignalMethods how its events travel, SignalOutcomes what became of one that
// left: acknowledged, refused for itself, or not acknowledged, to be sent again.
// They are the labels under which streams are counted.
var (
	SignalStatuses = [...]string{"enabled", "paused", "disabled"}
	SignalMethods  = [...]string{"push", "poll"}
	SignalOutcomes = [...]string{"delivered", "refused", "failed"}
)

// SignalCounts count all agencies' streams together, by index of the labels.
type SignalCounts struct {
	// Streams, and the events that they hold; Lag is the age of the oldest.
	Streams [len(SignalStatuses)]int
	Pending [len(SignalStatuses)]int
	Lag     [len(SignalStatuses)]time.Duration
	// Missed are events that full streams did not keep and have not told yet.
	Missed uint64
	// Deliveries are counted since the start.
	Deliveries [len(SignalMethods)][len(SignalOutcomes)]uint64
}
