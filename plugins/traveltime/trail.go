package main

import (
	"errors"
	"slices"
	"time"

	"github.com/menshen-zt/menshen/plugins/contract"
)

// Bounds of what is kept.
const (
	maxPeople = 20_000
	maxPlaces = 8
	// maxDays is where a person's counts are halved.
	maxDays   = 512
	retention = 30 * 24 * time.Hour
	// useful is how long a place is of use: at 1000 km/h any other is reached.
	useful = 24 * time.Hour
)

// person is what is kept of one.
type person struct {
	Places []visit `json:"places"` // seen longest ago first
	// Days with a sign-in, and those of them with a jump; the last of each.
	Days    int       `json:"days"`
	Jumps   int       `json:"jumps"`
	LastDay time.Time `json:"last_day"`
	// LastJump is zero if there was none.
	LastJump time.Time `json:"last_jump"`
}

// visit is a place and when it was seen last.
type visit struct {
	spot
	Last time.Time `json:"last"`
}

func newTrails() *contract.People[person] {
	return contract.NewPeople[person](maxPeople, retention, nil).Checked(checkPerson)
}

// checkPerson refuses a state that no plugin of this kind wrote.
func checkPerson(p *person) error {
	if len(p.Places) > maxPlaces || p.Jumps < 0 || p.Days < p.Jumps || p.Days > maxDays {
		return errors.New("counts out of bounds")
	}
	for _, v := range p.Places {
		if !v.onEarth() || v.Last.IsZero() {
			return errors.New("a place that is not on earth, or of no time")
		}
	}
	return nil
}

// learn takes a place in and reports whether that is new.
func (p *person) learn(at time.Time, here spot, signIn bool) bool {
	i := slices.IndexFunc(p.Places, func(v visit) bool { return v.spot == here })
	if i >= 0 && !at.After(p.Places[i].Last) {
		return false // taught twice, or late
	}
	if signIn {
		p.count(at, p.worst(at, here).impossibility() > 0)
	}
	if i >= 0 {
		p.Places = slices.Delete(p.Places, i, i+1)
	}
	p.Places = slices.DeleteFunc(append(p.Places, visit{spot: here, Last: at}), func(v visit) bool { return at.Sub(v.Last) >= useful })
	if more := len(p.Places) - maxPlaces; more > 0 {
		p.Places = slices.Delete(p.Places, 0, more)
	}
	return true
}

// count counts days, not sign-ins: whoever signs in from afar many times a day
// must not make that usual.
func (p *person) count(at time.Time, jump bool) {
	today := at.Truncate(24 * time.Hour)
	if !p.LastDay.Equal(today) {
		p.Days, p.LastDay = p.Days+1, today
	}
	if jump && !p.LastJump.Equal(today) {
		p.Jumps, p.LastJump = min(p.Jumps+1, p.Days), today
	}
	if p.Days > maxDays {
		p.Days, p.Jumps = p.Days/2, p.Jumps/2
	}
}

// habit is on how many days the person was seen, and jumped. A jump of today
// or yesterday may be the one in question, and excuses nothing.
func (p *person) habit(at time.Time) (days, jumps int) {
	if p.Jumps > 0 && at.Sub(p.LastJump) < 48*time.Hour {
		return p.Days, p.Jumps - 1
	}
	return p.Days, p.Jumps
}

// unlearn drops a place that was not the person's, and its jump.
func (p *person) unlearn(at time.Time, there spot) {
	p.Places = slices.DeleteFunc(p.Places, func(v visit) bool { return v.spot == there })
	if p.LastJump.Equal(at.Truncate(24 * time.Hour)) {
		p.Jumps, p.LastJump = max(0, p.Jumps-1), time.Time{}
	}
}

// worst returns the least possible journey between here and the last places.
func (p *person) worst(at time.Time, here spot) (found journey) {
	for _, v := range p.Places {
		j := travel(v.spot, here, at.Sub(v.Last))
		if a, b := j.impossibility(), found.impossibility(); a > b || a == b && j.gap > found.gap {
			found = j
		}
	}
	return found
}
