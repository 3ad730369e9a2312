package api

import (
	"sync"
	"time"
)

// gate bounds how many are inside at once for one key. Its map holds only
// keys that somebody is inside for.
type gate struct {
	most int

	mu     sync.Mutex
	inside map[string]int
}

func newGate(most int) *gate { return &gate{most: most, inside: map[string]int{}} }

func (g *gate) enter(key string) (leave func(), ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inside[key] >= g.most {
		return nil, false
	}
	g.inside[key]++
	var once sync.Once
	return func() { once.Do(func() { g.leave(key) }) }, true
}

func (g *gate) leave(key string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inside[key]--; g.inside[key] <= 0 {
		delete(g.inside, key)
	}
}

// pace lets each key do one thing every interval, and a burst at first. Its
// keys are ids of enrolled devices, so their number is bounded; those that
// have been quiet are dropped.
type pace struct {
	burst    time.Duration // the debt that may stand
	interval time.Duration

	mu        sync.Mutex
	debts     map[string]time.Time // when all that was permitted is paid off
	nextSweep time.Time
}

func newPace(burst int, interval time.Duration) *pace {
	return &pace{burst: time.Duration(burst) * interval, interval: interval, debts: map[string]time.Time{}}
}

func (p *pace) permit(key string, now time.Time) bool {
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

func (p *pace) sweep(now time.Time) {
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
