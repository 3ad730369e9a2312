package recorded

import (
	"hash/maphash"
	"sync"
)

const (
	// mostKnown bounds each of the cache's two generations: about 200 bytes a key.
	mostKnown = 8192
	turns     = 64
)

// cache holds the keys used last, in two generations: when the younger one is
// full, the older one is forgotten.
type cache struct {
	mu         *sync.Mutex
	young, old map[owner]*personKey

	// One caller at a time reads, makes or erases one owner's key.
	seed maphash.Seed
	of   *[turns]sync.Mutex
}

func newCache() cache {
	return cache{mu: new(sync.Mutex), young: map[owner]*personKey{}, seed: maphash.MakeSeed(), of: new([turns]sync.Mutex)}
}

func (c *cache) turn(who owner) *sync.Mutex {
	return &c.of[maphash.Comparable(c.seed, who)%turns]
}

func (c *cache) get(who owner) *personKey {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := c.young[who]; k != nil {
		return k
	}
	k := c.old[who]
	if k != nil {
		c.add(who, k)
	}
	return k
}

func (c *cache) put(who owner, k *personKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(who, k)
}

func (c *cache) add(who owner, k *personKey) {
	if len(c.young) >= mostKnown {
		c.young, c.old = map[owner]*personKey{}, c.young
	}
	c.young[who] = k
}

func (c *cache) drop(who owner) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.young, who)
	delete(c.old, who)
}
