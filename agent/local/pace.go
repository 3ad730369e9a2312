package local

import (
	"sync"
	"time"
)

// pace permits a number of things in any period.
type pace struct {
	period time.Duration
	mu     sync.Mutex
	// past is a ring of when the last ones were permitted.
	past []time.Time
	next int
}

func newPace(number int, period time.Duration) *pace {
	return &pace{period: period, past: make([]time.Time, number)}
}

func (p *pace) permit(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if oldest := p.past[p.next]; !oldest.IsZero() && now.Sub(oldest) < p.period && !now.Before(oldest) {
		return false
	}
	p.past[p.next] = now
	p.next = (p.next + 1) % len(p.past)
	return true
}
