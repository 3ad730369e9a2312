package contracttest

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/plugins/contract"
)

var start = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

// happened is what a person did on the n-th day, the same every day.
func happened(kind contract.Kind, person string, n int) contract.Observation {
	return contract.Observation{
		Kind: kind, Person: person, Group: "group", Device: "device-" + person, At: start.Add(time.Duration(n) * 24 * time.Hour),
		Network: "192.0.2.0", Address: "192.0.2.7", ZoneMinutes: 480, ZoneKnown: true, Portal: "portal", Grade: "read",
		Requests: 20, Over: 10 * time.Minute,
		Posture: []contract.Claim{{ID: "firewall", State: "pass"}, {ID: "disk-encryption", State: "pass"}},
		Files:   []string{strings.Repeat("a", contract.MaxFileBytes)},
	}
}

func signIn(person string, n int) contract.Observation {
	return happened(contract.KindSignIn, person, n)
}

// days are the sign-ins of some days, and what was done after each, as far as
// the plugin wants to be taught.
func (p *program) days(person string, from, to int) []contract.Observation {
	var all []contract.Observation
	for n := from; n < to; n++ {
		all = append(all, signIn(person, n))
		if p.asks(contract.KindActivity) {
			did := happened(contract.KindActivity, person, n)
			did.At = did.At.Add(10 * time.Minute)
			all = append(all, did)
		}
	}
	return all
}

// changes are what may be otherwise about a situation, one thing each.
var changes = []struct {
	name   string
	change func(*contract.Observation)
}{
	{"as always", func(*contract.Observation) {}},
	{"another network", func(o *contract.Observation) { o.Network, o.Address = "203.0.113.0", "203.0.113.9" }},
	{"IPv6", func(o *contract.Observation) { o.Network, o.Address = "2001:db8::", "2001:db8::1" }},
	{"another device", func(o *contract.Observation) { o.Device = "another" }},
	{"another zone", func(o *contract.Observation) { o.ZoneMinutes = -720 }},
	{"no zone", func(o *contract.Observation) { o.ZoneMinutes, o.ZoneKnown = 0, false }},
	{"by night", func(o *contract.Observation) { o.At = o.At.Add(12 * time.Hour) }},
	{"another group", func(o *contract.Observation) { o.Group = "another" }},
	{"another portal", func(o *contract.Observation) { o.Portal, o.Grade = "another", "admin" }},
	{"a flood", func(o *contract.Observation) { o.Requests = 100_000 }},
	{"a worse device", func(o *contract.Observation) { o.Posture = []contract.Claim{{ID: "firewall", State: "fail"}} }},
	{"another file", func(o *contract.Observation) { o.Files = []string{strings.Repeat("b", contract.MaxFileBytes)} }},
}

// situations are what the given people may be judged in on a day.
func situations(n int, people ...string) []contract.Observation {
	var all []contract.Observation
	for _, person := range people {
		for _, c := range changes {
			o := happened(contract.KindSituation, person, n)
			c.change(&o)
			all = append(all, o)
		}
	}
	return all
}

// judged are the verdicts on all these.
func (p *program) judged(t *testing.T, c contract.Client, all []contract.Observation) []contract.Verdict {
	t.Helper()
	verdicts := make([]contract.Verdict, len(all))
	for i, o := range all {
		verdicts[i] = p.assess(t, c, o)
	}
	return verdicts
}

// evidence is what a verdict adds for a person, in nats.
func evidence(v contract.Verdict) float64 {
	if v.Abstained {
		return 0
	}
	return v.LLR * v.Confidence
}

// alike reports whether two verdicts say the same.
func alike(a, b contract.Verdict) bool {
	const rounding = 1e-9
	return a.Abstained == b.Abstained && math.Abs(a.LLR-b.LLR) <= rounding && math.Abs(a.Confidence-b.Confidence) <= rounding &&
		slices.EqualFunc(a.Reasons, b.Reasons, func(a, b contract.Reason) bool { return a.Code == b.Code })
}

// only leaves an observation the features that the plugin asks for, as the host does.
func (p *program) only(o contract.Observation) contract.Observation {
	out := contract.Observation{Kind: o.Kind, Person: o.Person, At: o.At}
	for _, f := range p.says.Features {
		switch f {
		case contract.FeatureDevice:
			out.Device = o.Device
		case contract.FeatureNetwork:
			out.Network = o.Network
		case contract.FeatureZone:
			out.ZoneMinutes, out.ZoneKnown = o.ZoneMinutes, o.ZoneKnown
		case contract.FeatureAddress:
			out.Address = o.Address
		case contract.FeatureGroup:
			out.Group = o.Group
		case contract.FeaturePortal:
			out.Portal = o.Portal
		case contract.FeatureGrade:
			out.Grade = o.Grade
		case contract.FeatureRequests:
			out.Requests, out.Over = o.Requests, o.Over
		case contract.FeaturePosture:
			out.Posture = o.Posture
		case contract.FeatureFiles:
			out.Files = o.Files
		}
	}
	return out
}
