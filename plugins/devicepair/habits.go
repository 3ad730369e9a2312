package main

import (
	"errors"
	"math"
	"slices"
	"time"

	"github.com/menshen-zt/menshen/plugins/contract"
)

// Bounds of what is kept.
const (
	maxPeople  = 20_000
	maxDevices = 8
	// maxCount is where a person's counts are halved.
	maxCount  = 1024
	retention = 90 * 24 * time.Hour
	halfLife  = 30 * 24 * time.Hour
)

// person is what is kept of one.
type person struct {
	SignIns int      `json:"sign_ins"`
	Fresh   int      `json:"fresh"`   // of them with a new device, the first apart
	Devices []device `json:"devices"` // used longest ago first
}

// device is how much one was used: each sign-in counts 1 and fades.
type device struct {
	ID   string    `json:"id"`
	Use  float64   `json:"use"`
	Last time.Time `json:"last"`
}

// useAt is the use as it has faded at that time.
func (d device) useAt(at time.Time) float64 {
	return d.Use * math.Exp2(-max(0, at.Sub(d.Last).Hours())/halfLife.Hours())
}

// habits are what was learned. It is safe for concurrent use: users and the
// sums are touched under the lock of people alone.
type habits struct {
	people *contract.People[person]
	// users is how many people have a device among theirs.
	users          map[string]int
	signIns, fresh int
}

func newHabits() *habits {
	h := &habits{users: map[string]int{}}
	h.people = contract.NewPeople(maxPeople, retention, func(p *person) { h.count(p, -1) }).
		Checked(checkPerson).Counted(func(p *person) { h.count(p, +1) })
	return h
}

// checkPerson refuses a state that no plugin of this kind wrote.
func checkPerson(p *person) error {
	seen := map[string]bool{}
	for _, d := range p.Devices {
		if d.ID == "" || seen[d.ID] || d.Use < 0 || d.Last.IsZero() {
			return errors.New("a device without a name, or one that stands twice")
		}
		seen[d.ID] = true
	}
	if len(p.Devices) > maxDevices || p.Fresh < 0 || p.SignIns < p.Fresh || p.SignIns > maxCount {
		return errors.New("counts out of bounds")
	}
	return nil
}

func (h *habits) count(p *person, n int) {
	h.signIns += n * p.SignIns
	h.fresh += n * p.Fresh
	for _, d := range p.Devices {
		if h.users[d.ID] += n; h.users[d.ID] <= 0 {
			delete(h.users, d.ID)
		}
	}
}

// learn counts one sign-in and reports whether it is new.
func (h *habits) learn(name, id string, at time.Time) (learned bool) {
	h.people.Teach(name, at, func(p *person) {
		h.count(p, -1)
		defer h.count(p, +1)
		learned = p.learn(id, at)
	})
	return learned
}

func (p *person) learn(id string, at time.Time) bool {
	i := slices.IndexFunc(p.Devices, func(d device) bool { return d.ID == id })
	one := device{ID: id, Last: at}
	switch {
	case i >= 0 && !at.After(p.Devices[i].Last):
		return false // taught twice
	case i >= 0:
		one.Use = p.Devices[i].useAt(at)
		p.Devices = slices.Delete(p.Devices, i, i+1)
	case len(p.Devices) > 0:
		p.Fresh++
	}
	one.Use++
	if p.SignIns++; p.SignIns > maxCount {
		p.SignIns, p.Fresh = p.SignIns/2, p.Fresh/2
	}
	p.Devices = slices.DeleteFunc(append(p.Devices, one), func(d device) bool { return at.Sub(d.Last) >= retention })
	if more := len(p.Devices) - maxDevices; more > 0 {
		p.Devices = slices.Delete(p.Devices, 0, more)
	}
	return true
}

// unlearn takes a device from a person.
func (h *habits) unlearn(name, id string, at time.Time) {
	h.people.Look(name, at, func(p *person) {
		h.count(p, -1)
		defer h.count(p, +1)
		p.Devices = slices.DeleteFunc(p.Devices, func(d device) bool { return d.ID == id })
	})
}

// of returns what is known of a person and a device at that time, and how much
// the person used all devices: 0 for somebody who is not known.
func (h *habits) of(name, id string, at time.Time) (f facts, use float64) {
	h.people.Look(name, at, func(p *person) {
		f = facts{
			signIns: float64(p.SignIns), fresh: float64(p.Fresh),
			othersSignIns: float64(h.signIns - p.SignIns), othersFresh: float64(h.fresh - p.Fresh),
			users: float64(h.users[id]),
		}
		own := 0.0
		for _, d := range p.Devices {
			if at.Sub(d.Last) >= retention {
				continue
			}
			use += d.useAt(at)
			if d.ID == id {
				own = d.useAt(at)
				f.users--
			}
		}
		if use > 0 {
			f.share = own / use
		}
	})
	return f, use
}
