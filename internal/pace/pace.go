// Package pace bounds how often each of many parties may do something: a burst
// at first, then once every interval. What is counted is remembered only while
// it matters.
package pace

import (
	"sync"
	"time"
)

// Pace is safe for concurrent use. Its callers bound how many keys there are.
type Pace struct {
	burst, interval time.Duration // burst is the debt that may stand

	mu        sync.Mutex
	debts     map[string]time.Time // when all that was permitted is paid off
	nextSweep time.Time
}

// New returns a Pace of burst things at once and one more every interval.
func New(burst int, interval time.Duration) *Pace {
	return &Pace{burst: time.Duration(burst) * interval, interval: interval, debts: map[string]time.Time{}}
}

// Permit reports whether key may do one thing now, and counts it if so.
func (p *Pace) Permit(key string, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweep(now)
	paid := p.debts[key]
	if paid.Before(now) {
		paid = now
	}
	if paid.Sub(now) >= p.burst {
		return false
	}
	p.debts[key] = paid.Add(p.interval)
	return true
}

func (p *Pace) sweep(now time.Time) {
	if now.Before(p.nextSweep) {
		return
	}
	p.nextSweep = now.Add(time.Minute)
	for key, paid := range p.debts {
		if paid.Before(now) {
			delete(p.debts, key)
		}
	}
}
