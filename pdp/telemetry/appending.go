package telemetry

import (
	"sync"
	"time"
)

// appending are the records on their way to the audit log.
type appending struct {
	clock func() time.Time

	mu    sync.Mutex
	next  uint64
	since map[uint64]time.Time
}

func newAppending(clock func() time.Time) *appending {
	return &appending{clock: clock, since: map[uint64]time.Time{}}
}

func (a *appending) begin() (id uint64, began time.Time) {
	began = a.clock()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.next++
	a.since[a.next] = began
	return a.next, began
}

func (a *appending) end(id uint64, began time.Time) time.Duration {
	a.mu.Lock()
	delete(a.since, id)
	a.mu.Unlock()
	return a.clock().Sub(began)
}

// state returns how many records wait, and how long the oldest has.
func (a *appending) state() (waiting int, oldest time.Duration) {
	now := a.clock()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, began := range a.since {
		oldest = max(oldest, now.Sub(began))
	}
	return len(a.since), oldest
}
