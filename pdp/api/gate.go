package api

import "sync"

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
