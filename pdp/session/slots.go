package session

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/menshen-zt/menshen/internal/wire"
)

// classes are the slots of the policy resource classes. They are copied when
// one is added, so that the request path reads them without locks.
type classes struct {
	mu    sync.Mutex
	known atomic.Pointer[map[string]*[grades]slot]
}

// of returns the slots of a class, or nil.
func (c *classes) of(class string) *[grades]slot {
	known := c.known.Load()
	if known == nil {
		return nil
	}
	return (*known)[class]
}

// add returns the slots of a class, new ones if there are none. Classes beyond
// the number that a portal may have are of routes that it had once: all go, and
// what is asked for comes back.
func (c *classes) add(class string) *[grades]slot {
	c.mu.Lock()
	defer c.mu.Unlock()
	if slots := c.of(class); slots != nil {
		return slots
	}
	next := map[string]*[grades]slot{}
	if known := c.known.Load(); known != nil && len(*known) < wire.MaxClasses {
		maps.Copy(next, *known)
	}
	next[class] = new([grades]slot)
	c.known.Store(&next)
	return next[class]
}

// slot is where the decision stands for an action on a class.
func (p *place) slot(action wire.Action, class string) *slot {
	slots := &p.slots
	if class != "" {
		if slots = p.classes.of(class); slots == nil {
			slots = p.classes.add(class)
		}
	}
	return &slots[grade(action)]
}

// each calls f with every slot that there is.
func (p *place) each(f func(class string, sl *slot)) {
	for i := range p.slots {
		f("", &p.slots[i])
	}
	known := p.classes.known.Load()
	if known == nil {
		return
	}
	for class, slots := range *known {
		for i := range slots {
			f(class, &slots[i])
		}
	}
}

// LastRefused tells which action on which class was refused last to the session
// of q where q is from.
func (m *Manager) LastRefused(q wire.AccessRequest) (action wire.Action, class string, ok bool) {
	_, at, _ := m.admit(&q, m.clock().UnixNano())
	if at == nil {
		return "", "", false
	}
	var last *wire.Decision
	at.each(func(of string, sl *slot) {
		g := sl.current.Load()
		if g == nil || g.access.Outcome != wire.AccessRefused || g.access.Decision == nil {
			return
		}
		if d := g.access.Decision; last == nil || d.At.After(last.At) {
			last, class = d, of
		}
	})
	if last == nil {
		return "", "", false
	}
	return last.Action, class, true
}
