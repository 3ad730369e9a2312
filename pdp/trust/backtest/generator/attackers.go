package generator

import "github.com/menshen-zt/menshen/pdp/trust/backtest"

// attacker is what one kind can imitate. All hold the victim's security key and
// its PIN: without them there is no sign-in to judge.
type attacker struct {
	kind backtest.Label
	// own is how often the attacker sits at the victim's own laptop, enrolled
	// and unlocked; else at another enrolled laptop: a colleague's where
	// colleague is set, else anybody's.
	own       float64
	colleague bool
	from      origin
	hours     timing
	portals   taste
	// scripted is how often requests come from a program; failing how often the
	// sign-in comes after failed ones; listed how often the network stands on
	// the threat list.
	scripted, failing, listed float64
	// zone is how often the browser tells the victim's time zone.
	zone float64
	// tampered is how often protection on the laptop is switched off first.
	tampered float64
}

type origin int

const (
	worldwide     origin = iota // any provider of any country
	sameCountry                 // a hosting or VPN provider, or somebody's home, in the country
	sameProvider                // the provider of the victim's home, in the victim's city
	sameNeighbour               // the victim's own /24: the office's or the home's
)

type timing int

const (
	anyHour     timing = iota // the attacker's own day
	officeHours               // as people of the country work
	victimHours               // as the victim works
)

type taste int

const (
	anyPortal    taste = iota // of the victim's agency
	groupPortal               // as the victim's colleagues
	victimPortal              // as the victim
)

const (
	scriptedFactor = 12.0 // requests, times the median of people
	curiousFactor  = 1.6  // a person who searches
	worldHosting   = 0.3  // of worldwide attacks from hosting providers
	countryHosting = 0.7  // of attacks from the country
	workingDay     = 0.95 // of attacks that keep to office hours
	neighbourWork  = 0.5  // of attacks from the neighbourhood: the office's
	tamperedClaims = 2
)

func attackers() []attacker {
	return []attacker{
		{
			kind: backtest.Naive, own: 0, from: worldwide, hours: anyHour, portals: anyPortal,
			scripted: 0.4, failing: 0.5, listed: 0.2, zone: 0.2,
		},
		{
			kind: backtest.VPN, own: 0.10, from: sameCountry, hours: anyHour, portals: anyPortal,
			scripted: 0.3, failing: 0.3, listed: 0.1, zone: 1, tampered: 0.2,
		},
		{
			kind: backtest.Targeted, own: 0.25, colleague: true, from: sameProvider, hours: officeHours, portals: groupPortal,
			scripted: 0.1, failing: 0.2, listed: 0, zone: 1, tampered: 0.2,
		},
		{
			kind: backtest.VeryTargeted, own: 0.5, colleague: true, from: sameNeighbour, hours: victimHours, portals: victimPortal,
			scripted: 0, failing: 0.05, listed: 0, zone: 1, tampered: 0.1,
		},
	}
}

// Variants of attacks.
const (
	OwnLaptop   = "victim's laptop"
	OtherLaptop = "another laptop"
)
