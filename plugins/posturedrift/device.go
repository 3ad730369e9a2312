package main

import (
	"maps"
	"math"
	"slices"
	"time"

	"github.com/menshen-zt/menshen/plugins/contract"
)

// Bounds of what is kept.
const (
	maxPeople    = 20_000
	maxDevices   = 2
	maxClaims    = 24 // a full state of all people fits contract.MaxStateBytes
	maxClaimID   = 32
	maxReports   = 60 // of a claim; then both counts are halved
	maxHours     = 1_000_000
	retention    = 90 * 24 * time.Hour
	longestDecay = 100 * halfLife
)

// claim is the past of one claim.
type claim struct {
	ID      string  `json:"id"`
	Good    int     `json:"g,omitempty"`
	Bad     int     `json:"b,omitempty"`
	Passed  bool    `json:"p,omitempty"` // the last time
	Changes float64 `json:"c,omitempty"` // as they stood at the device's At
}

// device is the past of one device with one person.
type device struct {
	ID     string    `json:"id"`
	At     time.Time `json:"at"`
	Hours  int       `json:"hours"`
	Claims []claim   `json:"claims"`
}

// person is what is kept of one.
type person struct {
	Devices []device `json:"devices"` // seen last at the end
}

// tame puts into bounds what another program wrote.
func tame(p *person) {
	p.Devices = p.Devices[max(0, len(p.Devices)-maxDevices):]
	for i := range p.Devices {
		d := &p.Devices[i]
		d.Hours = max(0, min(d.Hours, maxHours))
		d.Claims = d.Claims[:min(len(d.Claims), maxClaims)]
		for j := range d.Claims {
			c := &d.Claims[j]
			c.Good, c.Bad = max(0, min(c.Good, maxReports)), max(0, min(c.Bad, maxReports))
			c.Changes = max(0, min(c.Changes, maxReports))
		}
	}
}

// report is what a device says now: of each claim whether it passes. What is
// said twice passes if it does so twice. An exception is approved: neither.
type report struct {
	passes   map[string]bool
	excepted map[string]bool
}

func newReport(claims []contract.Claim) report {
	r := report{passes: make(map[string]bool, len(claims)), excepted: map[string]bool{}}
	for _, c := range claims {
		switch {
		case c.ID == "" || len(c.ID) > maxClaimID:
		case c.State == "exception":
			r.excepted[c.ID] = true
		default:
			before, twice := r.passes[c.ID]
			r.passes[c.ID] = c.State == "pass" && (before || !twice)
		}
	}
	return r
}

// of is what a report says of a known claim: one that it leaves out does not pass.
func (r report) of(id string) (passes, counts bool) { return r.passes[id], !r.excepted[id] }

// find returns the device, nil if it is not known.
func (p *person) find(id string) *device {
	if at := slices.IndexFunc(p.Devices, func(d device) bool { return d.ID == id }); at >= 0 {
		return &p.Devices[at]
	}
	return nil
}

// learn takes in a report, and whether it is new.
func (p *person) learn(id string, r report, at time.Time) bool {
	d := device{ID: id}
	if known := p.find(id); known != nil {
		d = *known
	}
	if !at.After(d.At) {
		return false
	}
	d.learn(r, at)
	p.Devices = slices.DeleteFunc(p.Devices, func(old device) bool { return old.ID == id || at.Sub(old.At) >= retention })
	p.Devices = append(p.Devices, d)
	p.Devices = p.Devices[max(0, len(p.Devices)-maxDevices):]
	return true
}

func (d *device) learn(r report, at time.Time) {
	left := decay(at.Sub(d.At))
	counted := at.Truncate(time.Hour).After(d.At)
	known := make(map[string]bool, len(d.Claims))
	claims := make([]claim, 0, min(len(d.Claims)+len(r.passes), maxClaims))
	for _, c := range d.Claims {
		known[c.ID] = true
		c.Changes = math.Round(c.Changes*left*1e4) / 1e4
		if passes, counts := r.of(c.ID); counts {
			c.learn(passes, counted)
		}
		if c.Good > 0 || c.Passed || !missing(r, c.ID) { // else it is reported no more
			claims = append(claims, c)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(r.passes)) {
		if !known[id] && len(claims) < maxClaims {
			c := claim{ID: id, Passed: r.passes[id]}
			c.learn(c.Passed, true)
			claims = append(claims, c)
		}
	}
	d.Claims, d.At = claims, at
	if counted {
		d.Hours = min(d.Hours+1, maxHours)
	}
}

func missing(r report, id string) bool {
	_, reported := r.passes[id]
	return !reported && !r.excepted[id]
}

// learn takes in whether the claim passes; changes count at once, the state
// once an hour.
func (c *claim) learn(passes, counted bool) {
	if passes != c.Passed {
		c.Changes = min(c.Changes+1, maxReports)
		c.Passed = passes
	}
	if !counted {
		return
	}
	if passes {
		c.Good++
	} else {
		c.Bad++
	}
	if c.Good+c.Bad > maxReports {
		c.Good, c.Bad = c.Good/2, c.Bad/2
	}
}

// decay is what is left of the changes after so long.
func decay(age time.Duration) float64 {
	return math.Exp2(-float64(max(0, min(age, longestDecay))) / float64(halfLife))
}
