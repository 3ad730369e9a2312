package generator

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/trust/backtest"
)

// scene is where and with what a session happens.
type scene struct {
	at      time.Time
	address netip.Addr
	zone    int
	laptop  *laptop
	broken  uint64 // of the laptop
	portal  string
	second  string // a portal that the session goes on to
	grade   string
	request float64
	fails   int // failed sign-ins before
}

// recorder collects events and numbers sessions.
type recorder struct {
	events   []backtest.Event
	sessions int
	postures map[uint64][]wire.ObservedClaim // shared: most are alike
}

func (r *recorder) posture(broken uint64) []wire.ObservedClaim {
	if r.postures[broken] == nil {
		r.postures[broken] = posture(broken)
	}
	return r.postures[broken]
}

// record writes a session: failures, the sign-in, what it did.
func (r *recorder) record(p *person, s scene, mark backtest.Event) {
	r.sessions++
	base := mark
	base.Session = r.sessions
	base.Observation = wire.Observation{
		Kind: wire.ObservedSignIn, Person: p.id, Group: p.group.name, Device: s.laptop.id, At: s.at.UTC(),
		IP: network(s.address), Address: s.address.String(), ZoneMins: s.zone, ZoneKnown: true, Portal: s.portal, Grade: s.grade,
		Posture: r.posture(s.broken),
	}
	for n := range s.fails {
		failed := base
		failed.Kind, failed.Session, failed.Posture = wire.ObservedFailure, 0, nil
		failed.At = base.At.Add(-time.Duration(20*(s.fails-n)) * time.Second)
		r.events = append(r.events, failed)
	}
	r.events = append(r.events, base)
	did := base
	did.Kind, did.At = wire.ObservedActivity, base.At.Add(activityMinutes*time.Minute)
	did.Requests, did.Over = uint64(max(1, s.request)), activityMinutes*time.Minute
	if s.second != "" {
		did.Portal = s.second
	}
	r.events = append(r.events, did)
}

// Events are all days of all people, with the attacks on them, in the order of
// time.
func (w *World) Events() []backtest.Event { return w.events }

func (w *World) liveAll() []backtest.Event {
	r := &recorder{postures: map[uint64][]wire.ObservedClaim{}}
	daily := w.daily()
	for _, p := range w.people {
		w.live(p, daily, r)
	}
	w.poison(r)
	backtest.InOrder(r.events)
	return r.events
}

// daily is the factor that makes the wanted number of sign-ins from people's
// rates.
func (w *World) daily() float64 {
	sum := 0.0
	for _, p := range w.people {
		for day := p.joined; day < w.config.Days; day++ {
			sum += p.rate * w.presence(p, day)
		}
	}
	present := 1 - absence*absenceDays
	return float64(w.config.SignIns) / (sum * present)
}

// presence is how likely somebody works on a day.
func (w *World) presence(p *person, day int) float64 {
	switch {
	case day < len(w.free) && !w.free[day]:
		return 1
	case p.shift:
		return shiftWeekend
	}
	return holidayWork
}

// live is one person's whole past. The attacks on them draw from dice of their
// own.
func (w *World) live(p *person, daily float64, r *recorder) {
	d := p.dice
	attacks := w.plan(p)
	for day := p.joined; day < w.config.Days; day++ {
		w.morning(p, day, d)
		if day >= p.awayUntil {
			for range d.poisson(p.rate * daily * w.presence(p, day)) {
				r.record(p, w.signIn(p, day, d), backtest.Event{Label: backtest.Genuine})
			}
		}
		for _, a := range attacks {
			if a.day == day {
				w.attack(p, a, r)
			}
		}
	}
}

// morning is what changes from one day to the next.
func (w *World) morning(p *person, day int, d dice) {
	if float64(day) >= p.leaseEnds || !p.at.IsValid() {
		p.at = p.home.any(d)
		mean := homeLeaseShort
		if p.stable {
			mean = homeLeaseStable
		}
		p.leaseEnds = float64(day) + d.days(mean)
	}
	if d.chance(absence) && day >= p.awayUntil {
		p.awayUntil = day + 1 + int(d.days(absenceDays))
	}
	if day >= p.tripUntil {
		p.tripTo = nil
		w.travel(p, day, d)
	}
	if d.chance(replacement) {
		p.laptop = w.newLaptop(d)
	}
	p.laptop.age(d, 1)
	if p.second != nil {
		p.second.age(d, 1)
	}
}

func (w *World) travel(p *person, day int, d dice) {
	switch {
	case d.chance(foreignTrip):
		names, weights := []string{}, []float64{}
		for _, c := range countries() {
			if weight := destinations()[c.name]; weight > 0 {
				names, weights = append(names, c.name), append(weights, weight)
			}
		}
		country := names[d.pick(weights)]
		pools := w.addresses.abroad[country]
		p.tripTo = pools[d.IntN(len(pools))]
		p.trip = p.tripTo.place
		p.tripUntil = day + 1 + int(d.days(foreignDays))
	case d.chance(domesticTrip):
		city := d.IntN(len(cities()))
		p.tripTo = w.addresses.homes[city][d.pick(homeShares[:])]
		p.trip = p.tripTo.place
		p.tripUntil = day + 1 + int(d.days(domesticDays))
	}
}

// signIn is a genuine one.
func (w *World) signIn(p *person, day int, d dice) scene {
	s := scene{at: w.hour(p, day, d), zone: homeZone, laptop: p.laptop}
	s.address = w.whereabouts(p, d)
	if p.tripTo != nil && d.chance(zoneFollows) {
		s.zone = p.trip.zone
	}
	switch {
	case d.chance(borrowed):
		s.laptop = p.group.pool
	case p.second != nil && d.chance(secondShare):
		s.laptop = p.second
	}
	s.broken = s.laptop.broken
	s.portal = w.portal(p, d)
	if d.chance(secondPortal) {
		s.second = p.agency.portals[p.portfolio[d.pick(p.liking)]]
	}
	s.grade = grade(p, d)
	s.request = d.lognormal(p.requests, requestsWithin)
	if d.chance(failing) {
		s.fails = 1
		if d.chance(failingTwice) {
			s.fails = 2
		}
	}
	return s
}

// whereabouts is an address of where somebody is.
func (w *World) whereabouts(p *person, d dice) netip.Addr {
	if p.tripTo != nil {
		return p.tripTo.any(d)
	}
	switch d.pick([]float64{p.manner.office, p.manner.home, p.manner.mobile}) {
	case 0:
		return p.agency.office.any(d)
	case 1:
		return p.at
	}
	return w.addresses.mobiles[p.carrier][cities()[p.city].region].any(d)
}

// hour is a moment of that day as this person works.
func (w *World) hour(p *person, day int, d dice) time.Time {
	h := d.normal(p.start, dailyDeviation)
	switch {
	case p.shift:
		week := (day/7 + p.index) % 3
		h = d.normal([...]float64{8, 16, 0.2}[week], dailyDeviation)
	case d.chance(evening):
		h = d.normal(eveningMean, 1.2)
	case d.chance(afternoon):
		h = d.normal(afternoonMean, 0.8)
	}
	return w.moment(day, h)
}

func (w *World) moment(day int, hour float64) time.Time {
	return w.config.Start.AddDate(0, 0, day).Add(time.Duration(hour * float64(time.Hour))).Truncate(time.Second)
}

func (w *World) portal(p *person, d dice) string {
	switch {
	case d.chance(newPortal):
		return p.agency.portals[d.pick(p.group.portals)]
	case d.chance(farPortal):
		return sharedPortal(d)
	}
	return p.agency.portals[p.portfolio[d.pick(p.liking)]]
}

func sharedPortal(d dice) string {
	return fmt.Sprintf("portal-shared-%02d", d.IntN(sharedPortals))
}

func grade(p *person, d dice) string {
	switch {
	case p.admin && d.chance(adminGrade):
		return "admin"
	case d.chance(writes):
		return "write"
	}
	return "read"
}
