// Command networknovelty is the inference plugin that judges from which
// network a person comes, measured against that person's own history.
//
// The score is the one of Freeman et al., "Who Are You? A Statistical Approach
// to Measuring User Authenticity" (NDSS 2016): a likelihood ratio over the
// hierarchy network, operator (autonomous system) and country, with their
// linear interpolation of the levels, so that what was never seen has a
// probability too. The levels weigh as Wiefling et al. weigh them in their
// long-term study of that model. score.go states the formula. It is
// deterministic and can be replayed by hand from the history (requirements 33).
//
// Operator and country come from local data bases in MaxMind's format (MaxMind
// DB 2.0; the settings database and asn_database), read once at the start. A
// level that the data bases do not know of an address is left out. In place of
// an unknown operator stands the block around the network (an IPv4 /16, an IPv6
// /32), so the plugin works without a data base, and within an intranet.
//
// What it keeps is bounded: the time and the network (an IPv4 /24, an IPv6 /56)
// of the last 32 successful sign-ins of a person, none older than 90 days, of at
// most 20,000 people; in memory only.
//
// Limits: who comes by the person's own network, or through the person's own
// laptop, is not found out. A sign-in that an intruder brought to a good end
// teaches, until an officer says that it was not the person.
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
	where, err := openPlaces(set)
	if err != nil {
		fail(err)
	}
	contract.Serve(newPlugin(where))
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "networknovelty:", err)
	os.Exit(1)
}
