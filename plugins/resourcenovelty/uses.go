package main

import (
	"cmp"
	"slices"
	"time"

	"github.com/menshen-zt/menshen/plugins/contract"
)

// Bounds of what is kept.
const (
	maxPeople = 20_000
	maxUses   = 32 // a full state of all people fits contract.MaxStateBytes
	maxDays   = 90
	retention = 90 * 24 * time.Hour
)

// resource is a portal, or a portal with a kind of access.
type resource struct {
	Portal string `json:"p"`
	Grade  string `json:"g,omitempty"`
}

// use is a resource that a person uses.
type use struct {
	resource
	Days int   `json:"n"`
	Last int64 `json:"d"` // the day, from 1970
}

// person is what is kept of one.
type person struct {
	Group string `json:"group,omitempty"`
	Uses  []use  `json:"uses"`
}

func day(at time.Time) int64 { return at.Unix() / (24 * 60 * 60) }

// resources are what an observation uses: in the order of the spaces.
func resources(o contract.Observation) []resource {
	switch {
	case o.Portal == "":
		return nil
	case o.Grade == "read" || o.Grade == "write" || o.Grade == "admin":
		return []resource{{Portal: o.Portal}, {Portal: o.Portal, Grade: o.Grade}}
	}
	return []resource{{Portal: o.Portal}}
}

// find returns where a resource stands, −1 if it does not.
func (p *person) find(r resource) int {
	return slices.IndexFunc(p.Uses, func(u use) bool { return u.resource == r })
}

// space says which of the two spaces a resource lies in.
func (r resource) space() int {
	if r.Grade != "" {
		return 1
	}
	return 0
}

// space is how many people use each resource of it.
type space struct {
	people map[resource]int
	all    int
}

// crowd counts the people of a group, or everybody, in both spaces.
type crowd [2]space

func (c *crowd) add(r resource, n int) {
	s := &c[r.space()]
	if s.people == nil {
		s.people = map[resource]int{}
	}
	s.all += n
	if s.people[r] += n; s.people[r] == 0 {
		delete(s.people, r)
	}
}

// without is what the others of a crowd use, if one person is left out.
func (c *crowd) without(p *person, r resource) level {
	s := &c[r.space()]
	l := level{count: float64(s.people[r]), all: float64(s.all), different: float64(len(s.people))}
	for _, u := range p.Uses {
		if u.space() != r.space() {
			continue
		}
		l.all--
		if s.people[u.resource] == 1 {
			l.different--
		}
		if u.resource == r {
			l.count--
		}
	}
	return l
}

// counts are over all people that are kept.
type counts struct {
	everybody crowd
	groups    map[string]*crowd // never of "", which is no group
}

// add counts a person n times in or out.
func (c *counts) add(p *person, uses []use, n int) {
	for _, u := range uses {
		c.everybody.add(u.resource, n)
	}
	if p.Group == "" || len(uses) == 0 {
		return
	}
	group := c.groups[p.Group]
	if group == nil {
		group = &crowd{}
		c.groups[p.Group] = group
	}
	for _, u := range uses {
		group.add(u.resource, n)
	}
	if group[0].all == 0 && group[1].all == 0 {
		delete(c.groups, p.Group)
	}
}

// own is what this person has used in the space of r.
func (p *person) own(r resource, today int64) (l level, days float64) {
	for _, u := range p.Uses {
		if u.space() != r.space() || u.Last > today || today-u.Last >= maxDays {
			continue
		}
		n := float64(min(u.Days, familiar))
		l.all += n
		l.different++
		days += float64(u.Days)
		if u.resource == r {
			l.count = n
		}
	}
	return l, days
}

// learn counts a day of use, and reports whether it is a new one.
func (p *person) learn(r resource, today int64) bool {
	at := p.find(r)
	if at < 0 {
		p.Uses = append(p.Uses, use{resource: r, Days: 1, Last: today})
		return true
	}
	if u := &p.Uses[at]; u.Last < today {
		u.Days, u.Last = min(u.Days+1, maxDays), today
		return true
	}
	return false
}

// tidy drops what is unused for the retention, and what is too much.
func (p *person) tidy(today int64) {
	p.Uses = slices.DeleteFunc(p.Uses, func(u use) bool { return today-u.Last >= maxDays || u.Days < 1 })
	for len(p.Uses) > maxUses {
		oldest := slices.MinFunc(p.Uses, func(a, b use) int { return cmp.Compare(a.Last, b.Last) })
		p.Uses = slices.DeleteFunc(p.Uses, func(u use) bool { return u.resource == oldest.resource })
	}
}
