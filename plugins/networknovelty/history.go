package main

import (
	"container/list"
	"net/netip"
	"sync"
	"time"
)

// Bounds of what is kept.
const (
	maxPeople  = 20_000
	maxSignIns = 32
	retention  = 90 * 24 * time.Hour
)

// signIn is one successful sign-in.
type signIn struct {
	at   time.Time
	from path
}

// history is what was learned. It is safe for concurrent use.
type history struct {
	mu     sync.Mutex
	people map[string]*list.Element // of *person
	recent *list.List               // most recently taught first
	// everybody counts the kept sign-ins of all people, by network.
	everybody map[netip.Prefix]int
	total     int
}

type person struct {
	name    string
	signIns []signIn // oldest first
}

func newHistory() *history {
	return &history{people: map[string]*list.Element{}, recent: list.New(), everybody: map[netip.Prefix]int{}}
}

// learn keeps one sign-in and reports whether it is new.
func (h *history) learn(name string, s signIn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	element, known := h.people[name]
	if !known {
		if len(h.people) >= maxPeople {
			h.forget(h.recent.Back())
		}
		element = h.recent.PushFront(&person{name: name})
		h.people[name] = element
	}
	h.recent.MoveToFront(element)
	p := element.Value.(*person)
	for _, old := range p.signIns {
		if old == s {
			return false // taught twice
		}
	}
	p.signIns = append(p.signIns, s)
	h.count(s, +1)
	for len(p.signIns) > 0 && (len(p.signIns) > maxSignIns || p.signIns[0].at.Before(s.at.Add(-retention))) {
		h.count(p.signIns[0], -1)
		p.signIns = p.signIns[1:]
	}
	p.signIns = append([]signIn(nil), p.signIns...)
	return true
}

func (h *history) forget(element *list.Element) {
	p := h.recent.Remove(element).(*person)
	for _, s := range p.signIns {
		h.count(s, -1)
	}
	delete(h.people, p.name)
}

func (h *history) count(s signIn, n int) {
	h.total += n
	for _, prefix := range s.from {
		h.everybody[prefix] += n
		if h.everybody[prefix] <= 0 {
			delete(h.everybody, prefix)
		}
	}
}

// of counts the sign-ins of one person, and of all others, along a path, as
// they stood at that moment.
func (h *history) of(name string, p path, at time.Time) (self, others counts) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var kept counts
	if element, known := h.people[name]; known {
		for _, s := range element.Value.(*person).signIns {
			usable := !s.at.After(at) && s.at.After(at.Add(-retention))
			add(&kept, s.from, p)
			if usable {
				add(&self, s.from, p)
			}
		}
	}
	others.all = float64(h.total) - kept.all
	for i, prefix := range p {
		others.at[i] = float64(h.everybody[prefix]) - kept.at[i]
	}
	return self, others
}

func add(c *counts, from, p path) {
	c.all++
	for i := range p {
		if from[i] == p[i] {
			c.at[i]++
		}
	}
}
