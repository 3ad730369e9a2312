package generator

import (
	"net/netip"

	"github.com/menshen-zt/menshen/pdp/trust/backtest"
)

// raid is one attacker and the victim's day.
type raid struct {
	attacker attacker
	day      int
	dice     dice
	// What stays the same over an attacker's sessions.
	laptop *laptop
	own    bool
	pool   *pool
	near   netip.Addr // a neighbour of this address, where the attacker is one
	zone   int
	hour   float64 // of an attacker who keeps the own day
}

// plan draws one attack of each kind on a person, each on any day since they joined.
func (w *World) plan(p *person) []raid {
	out := make([]raid, len(w.attackers))
	for k := range w.attackers {
		d := newDice(w.config.Seed, streamAttack+uint64(p.index*len(w.attackers)+k)) // #nosec G115 -- not negative
		out[k] = raid{attacker: w.attackers[k], day: p.joined + d.IntN(w.config.Days-p.joined), dice: d}
	}
	return out
}

// attack is one session of an attacker. The victim is as they are on that day.
func (w *World) attack(p *person, a raid, r *recorder) {
	w.prepare(p, &a)
	r.record(p, w.strike(p, &a, a.day), a.mark())
}

func (a *raid) mark() backtest.Event {
	variant := OtherLaptop
	if a.own {
		variant = OwnLaptop
	}
	return backtest.Event{Label: a.attacker.kind, Variant: variant}
}

// prepare draws what an attacker holds and where they are.
func (w *World) prepare(p *person, a *raid) {
	d := a.dice
	a.zone, a.hour = homeZone, 24*d.Float64()
	switch a.own = d.chance(a.attacker.own); {
	case a.own:
		a.laptop = p.laptop
	case a.attacker.colleague && len(p.agency.people) > 1:
		a.laptop = other(p, p.agency.people, d).laptop
	default:
		a.laptop = other(p, w.people, d).laptop
	}
	switch a.attacker.from {
	case worldwide:
		w.fromAnywhere(a, d)
	case sameCountry:
		a.pool = w.addresses.hosting[d.IntN(len(w.addresses.hosting))]
		if !d.chance(countryHosting) {
			city := d.IntN(len(cities()))
			a.pool = w.addresses.homes[city][d.pick(homeShares[:])]
		}
	case sameProvider:
		a.pool = p.home
	case sameNeighbour:
		a.near = p.at
		if d.chance(neighbourWork) {
			a.near = p.agency.office.any(d)
		}
	}
}

func (w *World) fromAnywhere(a *raid, d dice) {
	all := countries()
	weights := make([]float64, len(all))
	for i := range all {
		weights[i] = all[i].weight
	}
	country := all[d.pick(weights)]
	pools := w.addresses.abroad[country.name]
	if d.chance(worldHosting) {
		pools = w.addresses.abroadHosting[country.name]
	}
	a.pool = pools[d.IntN(len(pools))]
	if !d.chance(a.attacker.zone) {
		a.zone = country.zone
	}
}

// other is somebody else.
func other(p *person, from []*person, d dice) *person {
	for {
		if q := from[d.IntN(len(from))]; q != p {
			return q
		}
	}
}

// strike is one session.
func (w *World) strike(p *person, a *raid, day int) scene {
	d := a.dice
	s := scene{zone: a.zone, laptop: a.laptop, broken: a.laptop.broken, grade: grade(p, d)}
	s.address = w.origin(a, d)
	if d.chance(a.attacker.tampered) {
		for range tamperedClaims {
			s.broken |= 1 << d.IntN(claims)
		}
	}
	switch a.attacker.hours {
	case anyHour:
		s.at = w.moment(day, a.hour)
	case officeHours:
		s.at = w.officeHour(p, day, d)
	case victimHours:
		s.at = w.hour(p, w.workday(p, day, d), d)
	}
	switch a.attacker.portals {
	case anyPortal:
		s.portal, s.second = p.agency.portals[d.IntN(agencyPortals)], p.agency.portals[d.IntN(agencyPortals)]
	case groupPortal:
		s.portal, s.second = p.agency.portals[d.pick(p.group.portals)], p.agency.portals[d.pick(p.group.portals)]
	case victimPortal:
		s.portal, s.second = p.agency.portals[p.portfolio[d.pick(p.liking)]], p.agency.portals[p.portfolio[d.pick(p.liking)]]
	}
	switch {
	case d.chance(a.attacker.scripted):
		s.request = d.lognormal(scriptedFactor*requestsMedian, requestsWithin)
	case a.attacker.portals == victimPortal:
		s.request = d.lognormal(p.requests, requestsWithin)
	default:
		s.request = d.lognormal(curiousFactor*requestsMedian, requestsWithin+0.2)
	}
	if d.chance(a.attacker.failing) {
		s.fails = 1 + d.IntN(3)
	}
	return s
}

func (w *World) origin(a *raid, d dice) netip.Addr {
	address := a.near
	if a.pool != nil {
		address = a.pool.any(d)
	}
	if a.near.IsValid() {
		address = near(a.near, d)
	}
	if d.chance(a.attacker.listed) {
		w.list(address)
	}
	return address
}
