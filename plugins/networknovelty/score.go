package main

import (
	"math"
	"net/netip"
)

// Let the person have signed in n times, n(x) of them from x, and everybody
// else N times, N(x) from x. At the levels j = network, operator, country that
// are known of the address, x being the address's network, operator, country:
//
//	I_j = ¼·N(x)/(N+1) + ¾·ρ_j                         an impostor comes from x
//	llr = ln( (α + Σ_j w_j·n(x)/I_j) / (n + α) )       clipped to ±limit
//
// which is ln(U/I) for Freeman's interpolated U = (α·I + n·Σ_j w_j·f_j·I(a|x)) /
// (n + α), where f_j = n(x)/n and I(a|x) = I/I_j is the chance of the address
// within x: the address's own probability I falls out of the ratio.
//
// One impostor in four is a colleague, and comes whence everybody comes: an
// office that all share says little. The others are strangers who may know
// whom they impersonate: ρ_j is the chance that they come from the right
// country, operator or network. α is how many sign-ins the smoothing is worth;
// of what was seen at no level the ratio is −ln(n/α + 1). The weights w are
// Wiefling's, over those levels that are known, to the sum of 1.
const (
	alpha     = 1.0
	colleague = 0.25
	limit     = 5.0
)

// levels of the hierarchy, from the smallest up.
const (
	network = iota
	operator
	country
	depth
)

var (
	weights = [depth]float64{.6, .3, .1}
	reaches = [depth]float64{1. / 1000, 1. / 20, 1. / 2} // ρ
)

// value is a place at one level; of different levels none is equal.
type value struct {
	prefix  netip.Prefix
	asn     uint32
	country [2]byte
}

// at returns the place at a level and whether it is known there.
func (p place) at(level int) (value, bool) {
	switch {
	case level == network:
		return value{prefix: p.network}, true
	case level == operator && p.asn != 0:
		return value{asn: p.asn}, true
	case level == operator:
		return value{prefix: p.block}, true
	default:
		return value{country: p.country}, p.country != [2]byte{}
	}
}

// counts are sign-ins: all of them, and those from a place at each level.
type counts struct {
	all float64
	at  [depth]float64
}

// score is the formula above, for the levels that are known.
func score(person, others counts, known [depth]bool) float64 {
	weight, told := 0.0, 0.0
	for j := range depth {
		if !known[j] {
			continue
		}
		impostor := colleague*others.at[j]/(others.all+1) + (1-colleague)*reaches[j]
		told += weights[j] * person.at[j] / impostor
		weight += weights[j]
	}
	if weight == 0 {
		return 0
	}
	llr := math.Log((alpha + told/weight) / (person.all + alpha))
	return max(-limit, min(llr, limit))
}

// confidence grows with the history: a half after three sign-ins.
func confidence(signIns float64) float64 { return signIns / (signIns + 3) }
