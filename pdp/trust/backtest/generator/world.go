package generator

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/trust/backtest"
)

// Config says how large the past is.
type Config struct {
	People  int
	SignIns int // about so many, of all people together
	Seed    uint64
	// Start is the first day, midnight of the home country; zero is 2 March 2026.
	Start time.Time
	// Days is its length; 0 is 63.
	Days int
	// PoisonedPeople is how many people of each kind of attacker are attacked
	// again and again after the last day, each attack being taken for the
	// person; 0 is a twentieth of all.
	PoisonedPeople int
	// PoisonSignIns is how many such attacks each of them sees; 0 is 13.
	PoisonSignIns int
}

const (
	defaultDays          = 63
	defaultPoisonSignIns = 13
	minPeople, maxPeople = 40, 200_000
	maxPerPerson         = 400
)

// ErrConfig is returned for numbers that make no past.
var ErrConfig = errors.New("generator: people between 40 and 200000, sign-ins between 2 and 400 for each of them")

func (c Config) withDefaults() (Config, error) {
	if c.People < minPeople || c.People > maxPeople || c.SignIns < 2*c.People || c.SignIns > maxPerPerson*c.People {
		return c, fmt.Errorf("%w: %d people, %d sign-ins", ErrConfig, c.People, c.SignIns)
	}
	if c.Start.IsZero() {
		c.Start = time.Date(2026, 3, 2, 0, 0, 0, 0, time.FixedZone("", homeZone*60))
	}
	if c.Days == 0 {
		c.Days = defaultDays
	}
	if c.PoisonedPeople == 0 {
		c.PoisonedPeople = c.People / 20
	}
	if c.PoisonSignIns == 0 {
		c.PoisonSignIns = defaultPoisonSignIns
	}
	return c, nil
}

// World is the people and what they live among.
type World struct {
	config    Config
	addresses *addresses
	agencies  []agency
	people    []*person
	laptops   int
	listed    []string
	attackers []attacker
	free      []bool // days on which most do not work
	events    []backtest.Event
}

type agency struct {
	city    int
	office  *pool
	portals []string
	groups  []*group
	people  []*person
}

type group struct {
	name    string
	portals []float64 // weights of the agency's portals
	people  []*person
	pool    *laptop // lent to whoever needs one
}

// laptop is an enrolled one and what it says of itself.
type laptop struct {
	id     string
	broken uint64 // claims that fail, a bit each
}

// person is one of the people.
type person struct {
	index   int
	id      string
	agency  *agency
	group   *group
	city    int
	home    *pool
	carrier int
	manner  manner
	dice    dice

	rate     float64 // weight of a working day's sign-ins
	joined   int     // day
	shift    bool
	start    float64
	stable   bool
	admin    bool
	requests float64 // median

	portfolio []int     // of the agency's portals
	liking    []float64 // of the portfolio

	laptop, second *laptop
	at             netip.Addr // of the home
	leaseEnds      float64
	awayUntil      int   // day before which nobody is at work
	tripUntil      int   // day before which somebody travels
	tripTo         *pool // where
	trip           place
}

// New makes the people and lives their days.
func New(c Config) (*World, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	w := &World{config: c, addresses: newAddresses(), attackers: attackers()}
	for day := range c.Days + 7*c.PoisonSignIns {
		date := c.Start.AddDate(0, 0, day)
		w.free = append(w.free, date.Weekday() == time.Saturday || date.Weekday() == time.Sunday || holidays()[date.Format(time.DateOnly)])
	}
	d := newDice(c.Seed, streamWorld)
	w.found(d)
	for i := range c.People {
		w.hire(i)
	}
	for a := range w.agencies {
		for _, g := range w.agencies[a].groups {
			g.pool = w.newLaptop(d)
		}
	}
	for _, p := range w.addresses.pools {
		if p.country != homeCountry {
			continue
		}
		for i := range p.nets {
			if d.chance(listedHomes) {
				w.list(in24(p.first+uint32(i)*addressesPer24, d)) // #nosec G115 -- small counts
			}
		}
	}
	w.events = w.liveAll()
	return w, nil
}

func (w *World) list(a netip.Addr) { w.listed = append(w.listed, network(a)+"/24") }

// found makes the agencies; the large ones are in the large cities.
func (w *World) found(d dice) {
	weights := make([]float64, len(cities()))
	for i, c := range cities() {
		weights[i] = c.weight
	}
	weights[0] *= 3 // the capital
	n := max(1, min(agencies, w.config.People/30))
	for i := range n {
		a := agency{city: d.pick(weights)}
		w.addresses.office(cities()[a.city])
		a.office = w.addresses.offices[i]
		for p := range agencyPortals {
			a.portals = append(a.portals, fmt.Sprintf("portal-%02d-%02d", i, p))
		}
		w.agencies = append(w.agencies, a)
	}
}

// hire makes one person, with dice of their own.
func (w *World) hire(i int) {
	d := newDice(w.config.Seed, streamPerson+uint64(i)) // #nosec G115 -- not negative
	a := &w.agencies[d.pick(zipf(len(w.agencies), agencyExponent))]
	p := &person{index: i, id: fmt.Sprintf("person-%06d", i), agency: a, city: a.city, dice: d}
	p.group = a.join(p, d)
	a.people = append(a.people, p)
	all := cities()
	if d.chance(commuters) {
		p.city = all[a.city].neighbour
	}
	p.home = w.addresses.homes[p.city][d.pick(homeShares[:])]
	p.carrier = d.pick(mobileShares[:])
	p.stable = d.chance(homeStable)
	kinds := manners()
	shares := make([]float64, len(kinds))
	for k := range kinds {
		shares[k] = kinds[k].share
	}
	p.manner = kinds[d.pick(shares)]
	p.rate = d.lognormal(1, rateDeviation)
	if d.chance(joiners) {
		p.joined = d.IntN(w.config.Days * 3 / 4)
	}
	p.shift = d.chance(shiftWorkers)
	p.start = d.normal(startMean, startDeviation)
	p.admin = d.chance(adminPeople)
	p.requests = d.lognormal(requestsMedian, requestsBetween)
	p.likePortals(d)
	p.laptop = w.newLaptop(d)
	if d.chance(secondLaptop) {
		p.second = w.newLaptop(d)
	}
	p.dice = d
	w.people = append(w.people, p)
}

// join puts a person into the agency's newest group, or founds the next.
func (a *agency) join(p *person, d dice) *group {
	if n := len(a.groups); n == 0 || len(a.groups[n-1].people) >= groupSize {
		g := &group{name: fmt.Sprintf("group-%s-%02d", a.portals[0][len("portal-"):len("portal-")+2], len(a.groups)), portals: make([]float64, agencyPortals)}
		for rank, portal := range d.Perm(agencyPortals) {
			g.portals[portal] = zipf(agencyPortals, portalExponent)[rank]
		}
		a.groups = append(a.groups, g)
	}
	g := a.groups[len(a.groups)-1]
	g.people = append(g.people, p)
	return g
}

// likePortals draws a portfolio from what the group uses.
func (p *person) likePortals(d dice) {
	left := append([]float64(nil), p.group.portals...)
	for range portfolioMin + d.IntN(portfolioMax-portfolioMin+1) {
		i := d.pick(left)
		p.portfolio = append(p.portfolio, i)
		p.liking = append(p.liking, p.group.portals[i]*d.lognormal(1, 0.7))
		left[i] = 0
	}
}

func (w *World) newLaptop(d dice) *laptop {
	w.laptops++
	l := &laptop{id: fmt.Sprintf("laptop-%06d", w.laptops)}
	l.age(d, 30) // as they are found, not all in order
	return l
}

// age breaks and heals claims for so many days.
func (l *laptop) age(d dice, days int) {
	for range days {
		for c := range claims {
			bit := uint64(1) << c
			switch {
			case l.broken&bit != 0 && d.chance(claimHeals):
				l.broken &^= bit
			case l.broken&bit == 0 && d.chance(claimBreaks):
				l.broken |= bit
			}
		}
	}
}

// posture is what a laptop says of itself.
func posture(broken uint64) []wire.ObservedClaim {
	out := make([]wire.ObservedClaim, claims)
	for c := range claims {
		out[c] = wire.ObservedClaim{ID: fmt.Sprintf("claim-%02d", c), State: "pass"}
		if broken&(1<<c) != 0 {
			out[c].State = "fail"
		}
	}
	return out
}
