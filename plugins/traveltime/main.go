// Command traveltime is the inference plugin that finds impossible travel: a
// person's account is used from two places that nobody could go between in
// time, or from both at once.
//
// The distance is the great circle's, by the haversine formula (R. W. Sinnott,
// "Virtues of the Haversine", Sky and Telescope, 1984), less the uncertainty of
// both places: a data base of addresses names with each place the radius within
// which it is probably right. What is left is held against 1000 km/h, which no
// airliner keeps up from door to door, so what is called impossible is. How much
// an impossible journey says is measured by how often this person appears to
// make one. score.go states the formula. It is deterministic and can be replayed
// by hand (requirements 33).
//
// Places come from a local data base in MaxMind's format (MaxMind DB 2.0; the
// setting database), read once at the start. Of a network without a place, or
// without its radius, it abstains. So it does of the known gateways of the
// setting egress (VPNs, address translators, proxies in a cloud), which say
// nothing of where a person is; they are no place to travel from either.
//
// What it keeps is bounded: the last 8 places of a person with when each was
// seen last, of use for 24 hours and dropped with the next that is learned, and
// on how many days the person was seen and appeared to travel impossibly; of at
// most 20,000 people, none longer than 30 days after the last; in memory only.
//
// Limits: it tells that two places were used, not which of them is the person's:
// both are asked. An intruder near the person, or behind the same gateway, is
// not found out. A VPN that is not in egress looks like a journey. It never
// speaks for a person: whoever waits long enough has travelled plausibly.
package main

import (
	"fmt"
	"os"

	"github.com/menshen-zt/menshen/plugins/contract"
)

func main() {
	var set settings
	if err := contract.Settings(&set); err != nil {
		fail(err)
	}
	m, err := openMap(set)
	if err != nil {
		fail(err)
	}
	contract.Serve(newPlugin(m))
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "traveltime:", err)
	os.Exit(1)
}
