package main

import (
	"math"
	"slices"
	"time"
)

// Of an account, C(w) is the number of failures, each halved every w. Failures F,
// sign-ins that ended well G and the time T are halved every 30 days.
//
// Minutes, w = 10 min. A person fails μ times for each sign-in, a Gamma rate of
// which the failures being judged are no part; an impostor fails once:
//
//	μ = (1 + max(0, F − C)) / (10 + G), from fewest to mostEach
//	A = ln NB(C; μ, μ) − ln NB(C; ½, 1)
//
// with NB(c; k, m) = Γ(c+k)/(c!·Γ(k))·(k/(k+m))^k·(m/(k+m))^c, the Gamma-Poisson
// count of shape k and mean m: failures come in rows.
//
// Hours, w = 6 h, and the network, from which c accounts failed and g signed in
// within the last half hour to hour, by Kulldorff's ratio and its price ln 2 for
// two places:
//
//	λ = (1 + F) / (7 days + T)
//	u = λ·w/ln 2, from floor to most·floor        or  networkFloor + networkShare·g
//	B = ln 2 − R(c, u), R(c, u) = c·ln(c/u) − (c − u) if c > u, else 0
//
//	llr = min(0, A, B, B of the network), at least −limit
//
// What is usual is bounded above lest somebody who fails on purpose for weeks
// makes failing usual.
const (
	minutes      = 10 * time.Minute
	hours        = 6 * time.Hour
	baseHalfLife = 30 * 24 * time.Hour
	fewest       = 0.08
	mostEach     = 0.6
	priorSignIns = 10.0
	priorTime    = 7 * 24 * time.Hour
	floor        = 4.0
	most         = 3.0
	networkFloor = 3.0
	networkShare = 0.1
	limit        = 2.0
	against      = 0.9 // the confidence of a count that speaks against
)

// halved is what is left of 1 after so long.
func halved(age, halfLife time.Duration) float64 {
	return math.Exp2(-float64(max(age, 0)) / float64(halfLife))
}

// mean is the time over which a count with that half-life adds up.
func mean(halfLife time.Duration) float64 { return halfLife.Seconds() / math.Ln2 }

// inARow is A.
func inARow(count, failures, signIns float64) float64 {
	usual := (1 + max(0, failures-count)) / (priorSignIns + signIns)
	usual = max(fewest, min(usual, mostEach))
	return logCount(count, usual, usual) - logCount(count, 0.5, 1)
}

// logCount is ln NB(c; k, m).
func logCount(c, k, m float64) float64 {
	ck, _ := math.Lgamma(c + k)
	c1, _ := math.Lgamma(c + 1)
	k0, _ := math.Lgamma(k)
	return ck - c1 - k0 + k*math.Log(k/(k+m)) + c*math.Log(m/(k+m))
}

// overHours is u of an account.
func overHours(failures, seconds float64) float64 {
	rate := (1 + failures) / (priorTime.Seconds() + seconds)
	return max(floor, min(rate*mean(hours), most*floor))
}

// ratio is R.
func ratio(count, usual float64) float64 {
	if count <= usual {
		return 0
	}
	return count*math.Log(count/usual) - (count - usual)
}

// above is B.
func above(count, usual float64) float64 { return math.Ln2 - ratio(count, usual) }

// score is the llr.
func score(parts ...float64) float64 { return max(-limit, min(0, slices.Min(parts))) }

// confidence that nothing is unusual grows with the sign-ins that ended well.
func confidence(signIns float64) float64 { return signIns / (signIns + 3) }
