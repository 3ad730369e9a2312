package signals

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Indices of wire.SignalMethods and wire.SignalOutcomes.
const (
	byPush = iota
	byPoll
)

const (
	wasDelivered = iota
	wasRefused
	wasFailed
)

// counters count what became of events that left.
type counters [len(wire.SignalMethods)][len(wire.SignalOutcomes)]atomic.Uint64

// Counts counts all streams together.
func (t *Transmitter) Counts() wire.SignalCounts {
	var c wire.SignalCounts
	for method := range t.counters {
		for outcome := range t.counters[method] {
			c.Deliveries[method][outcome] = t.counters[method][outcome].Load()
		}
	}
	now := t.Clock()
	for _, s := range t.all() {
		s.mu.Lock()
		status, pending, missed := s.record.Status, len(s.pending), s.record.Missed
		var lag time.Duration
		if pending > 0 {
			lag = max(0, now.Sub(s.pending[0].at))
		}
		s.mu.Unlock()
		n := slices.Index(wire.SignalStatuses[:], status)
		if n < 0 {
			continue
		}
		c.Streams[n]++
		c.Pending[n] += pending
		c.Lag[n] = max(c.Lag[n], lag)
		c.Missed += missed
	}
	return c
}
