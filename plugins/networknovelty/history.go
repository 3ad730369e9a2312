package main

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/menshen-zt/menshen/plugins/contract"
)

// Bounds of what is kept.
const (
	maxPeople  = 20_000
	maxSignIns = 32
	retention  = 90 * 24 * time.Hour
)

// signIn is one successful sign-in.
type signIn struct {
	At      time.Time    `json:"at"`
	Network netip.Prefix `json:"network"`
	// from is found again by the data bases of whoever takes the state over.
	from place
}

// person is what is kept of one.
type person struct {
	SignIns []signIn `json:"sign_ins"` // oldest first
}

// history is what was learned. It is safe for concurrent use: everybody and
// total are touched under the lock of people alone.
type history struct {
	people *contract.People[person]
	where  places
	// everybody counts the kept sign-ins of all people, by place.
	everybody map[value]int
	total     int
}

func newHistory(where places) *history {
	h := &history{where: where, everybody: map[value]int{}}
	h.people = contract.NewPeople(maxPeople, retention, func(p *person) {
		for _, s := range p.SignIns {
			h.count(s.from, -1)
		}
	}).Checked(checkPerson).Counted(h.found)
	return h
}

// checkPerson refuses a state that no plugin of this kind wrote.
func checkPerson(p *person) error {
	if len(p.SignIns) > maxSignIns {
		return errors.New("more sign-ins than are kept")
	}
	for _, s := range p.SignIns {
		if !s.Network.IsValid() || s.At.IsZero() {
			return errors.New("a sign-in from nowhere or of no time")
		}
	}
	return nil
}

// found places and counts the sign-ins of a state that was taken over.
func (h *history) found(p *person) {
	for i := range p.SignIns {
		s := &p.SignIns[i]
		s.from = h.where.of(s.Network.Addr())
		s.Network = s.from.network
		h.count(s.from, +1)
	}
}

// learn keeps one sign-in and reports whether it is new.
func (h *history) learn(name string, at time.Time, from place) (learned bool) {
	h.people.Teach(name, at, func(p *person) {
		one := signIn{At: at, Network: from.network, from: from}
		if slices.Contains(p.SignIns, one) {
			return // taught twice
		}
		learned = true
		p.SignIns = append(p.SignIns, one)
		h.count(from, +1)
		h.drop(p, func(i int, s signIn) bool {
			return i < len(p.SignIns)-maxSignIns || s.At.Before(at.Add(-retention))
		})
	})
	return learned
}

// unlearn drops what was learned of a network since a moment, and reports
// whether there was any.
func (h *history) unlearn(name string, since time.Time, from place) (dropped bool) {
	h.people.Look(name, since, func(p *person) {
		before := len(p.SignIns)
		h.drop(p, func(_ int, s signIn) bool { return s.Network == from.network && !s.At.Before(since) })
		dropped = len(p.SignIns) < before
	})
	return dropped
}

func (h *history) drop(p *person, which func(int, signIn) bool) {
	kept := make([]signIn, 0, len(p.SignIns))
	for i, s := range p.SignIns {
		if which(i, s) {
			h.count(s.from, -1)
		} else {
			kept = append(kept, s)
		}
	}
	p.SignIns = kept
}

func (h *history) count(from place, n int) {
	h.total += n
	for level := range depth {
		v, known := from.at(level)
		if !known {
			continue
		}
		if h.everybody[v] += n; h.everybody[v] <= 0 {
			delete(h.everybody, v)
		}
	}
}

// of counts the sign-ins of one person, and of all others, from a place, as
// they stood at that moment.
func (h *history) of(name string, from place, at time.Time) (self, others counts) {
	h.people.Look(name, at, func(p *person) {
		var kept counts
		for _, s := range p.SignIns {
			kept.add(s.from, from)
			if !s.At.After(at) && at.Sub(s.At) < retention {
				self.add(s.from, from)
			}
		}
		others.all = float64(h.total) - kept.all
		for level := range depth {
			v, _ := from.at(level)
			others.at[level] = float64(h.everybody[v]) - kept.at[level]
		}
	})
	return self, others
}

func (c *counts) add(seen, from place) {
	c.all++
	for level := range depth {
		one, _ := seen.at(level)
		if other, known := from.at(level); known && one == other {
			c.at[level]++
		}
	}
}
