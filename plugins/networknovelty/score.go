package main

import (
	"math"
	"net/netip"
)

// The hierarchy, from the largest network down. For one address x, with this
// person's n sign-ins and everybody else's N:
//
//	I(x) = ½·(N(x)+1/K)/(N(parent)+1) + ½·1/K          an impostor comes from x
//	U(x) = (n(x) + α·I(x)) / (n(parent) + α)           this person comes from x
//	llr  = Σ over the levels of ln( U(x) / I(x) ),      clipped to ±limit
//
// The impostor is a colleague half the time and a stranger from anywhere the
// other half, so an office that everybody shares says little for anybody,
// and still more than a network that nobody uses. K is how many children a
// network of the level above may have, α how many sign-ins the smoothing is
// worth. Where the parent was never seen, U = I and the level says nothing: a
// network that is new at the top is counted as new once, not three times.
const (
	alpha = 1.0
	limit = 5.0
)

// level is one step of the hierarchy.
type level struct {
	v4, v6   int // prefix lengths
	children float64
}

var levels = [...]level{
	{v4: 16, v6: 32, children: 1 << 16},
	{v4: 24, v6: 56, children: 1 << 8},
	// Below an IPv6 /64 addresses change by themselves (RFC 8981).
	{v4: 32, v6: 64, children: 1 << 8},
}

// path is one address as the networks it lies in, largest first.
type path [len(levels)]netip.Prefix

// parsePath reads an address; IPv4 inside IPv6 counts as IPv4, zones are cut.
func parsePath(text string) (path, bool) {
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return path{}, false
	}
	addr = addr.WithZone("").Unmap()
	var p path
	for i, l := range levels {
		bits := l.v6
		if addr.Is4() {
			bits = l.v4
		}
		prefix, err := addr.Prefix(bits)
		if err != nil {
			return path{}, false
		}
		p[i] = prefix
	}
	return p, true
}

// counts are sign-ins: all of them, and those from each network of a path.
type counts struct {
	all float64
	at  [len(levels)]float64
}

// score is the formula above.
func score(person, others counts) float64 {
	llr := 0.0
	parent, othersParent := person.all, others.all
	for i, l := range levels {
		impostor := 0.5*(others.at[i]+1/l.children)/(othersParent+1) + 0.5/l.children
		self := (person.at[i] + alpha*impostor) / (parent + alpha)
		llr += math.Log(self / impostor)
		parent, othersParent = person.at[i], others.at[i]
	}
	return max(-limit, min(llr, limit))
}

// confidence grows with the history: a half after three sign-ins.
func confidence(signIns float64) float64 { return signIns / (signIns + 3) }
