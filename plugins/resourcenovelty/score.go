package main

import "math"

// There are two spaces: portals, and portals with a kind of access. In each, a
// person counts for a resource r with the days n(r) of its use, at most
// familiar; a group and everybody count with the number of their people q(r),
// p(r) who use it, this person left out. V is how many resources there are, and
// one that is new. With T the number of different resources at a level and n, q,
// p the sums over all r:
//
//	G(r) = (p(r) + 2·T·1/V) / (p + 2·T)          everybody
//	H(r) = (q(r) + 2·T·G(r)) / (q + 2·T)         the peers; G where there are none
//	U(r) = (n(r) + 2·T·H(r)) / (n + 2·T)         this person
//	I(r) = ½·G(r) + ½·1/V                        an impostor
//	llr  = ln( U / I ), the lower of both spaces, clipped to −mostAgainst … +mostFor
//
// So a person whose resources are all familiar leaves 2/5 of the choice to what
// the peers do, however long the history is: somebody who uses many portals
// starts with new ones more often. The impostor is a colleague half the time
// and half the time somebody who tries what there is.
const (
	familiar    = 3
	mostFor     = 1.0
	mostAgainst = 3.0
)

// level is what one of the three has used in a space.
type level struct {
	count, all, different float64
}

// over backs off to the probability above.
func (l level) over(above float64) float64 {
	left := 2 * l.different
	if l.all+left <= 0 {
		return above
	}
	return (l.count + left*above) / (l.all + left)
}

// score is the formula above for one space.
func score(person, peers, everybody level, resources float64) float64 {
	fresh := 1 / (resources + 1)
	global := everybody.over(fresh)
	self := person.over(peers.over(global))
	return max(-mostAgainst, min(math.Log(self/(0.5*global+0.5*fresh)), mostFor))
}

// confidence grows with the days of use: a half after five.
func confidence(days float64) float64 { return days / (days + 5) }
