package main

import (
	"math"
	"time"
)

// With x = ln(1 + requests a minute) of the n-th piece of activity and the
// usual m, v and sum S from before it:
//
//	z = (x − m) / max(√v, σ₀), at most maxZ
//	S ← max(0, S·2^(−Δt/halfLife) + z − ½)            at most maxSum
//	a = max(1/n, minGain),  x' = m + clip(x − m, ±clip·max(√v, σ₀))
//	m ← m + a·(x' − m),     v ← (1−a)·(v + a·(x' − m)²)      the m from before
//
// z − ½ is the log likelihood ratio of a rate that lies one standard deviation
// too high against a usual one (normal, δ = 1: δ·z − δ²/2), so S is the largest
// such ratio over all moments at which the rate may have risen, in nats. price
// is what that choice costs: while S stays below it there is nothing unusual.
//
//	llr = min(0, price − max(S, z' − ½)), at least −limit
//
// z' is that of the whole session so far, which says nothing that S did not
// add up already, unless its last activity was not taught yet.
const (
	minDeviation = 0.5 // σ₀: a person's rate always varies by a factor of 1.6
	minGain      = 0.02
	clip         = 2.0
	maxZ         = 6.0
	maxSum       = 12.0
	price        = 4.0
	limit        = 3.0
	halfLife     = 12 * time.Hour
	// shortest is the time below which a rate says nothing.
	shortest = 5 * time.Second
)

// usual is what is kept of one person.
type usual struct {
	At       time.Time `json:"at"`
	N        int       `json:"n"`
	Mean     float64   `json:"mean"`
	Variance float64   `json:"variance"`
	Sum      float64   `json:"sum"`
}

// rate is x, and whether there is one.
func rate(requests uint64, over time.Duration) (x float64, ok bool) {
	if over < shortest {
		return 0, false
	}
	return math.Log1p(float64(requests) / over.Minutes()), true
}

// deviation is how much the rate varies.
func (u *usual) deviation() float64 { return max(math.Sqrt(max(u.Variance, 0)), minDeviation) }

// z is how many deviations a rate lies above the usual one.
func (u *usual) z(x float64) float64 { return min((x-u.Mean)/u.deviation(), maxZ) }

// sum is S as it stands at that time.
func (u *usual) sum(at time.Time) float64 {
	age := max(at.Sub(u.At), 0)
	return u.Sum * math.Exp2(-float64(age)/float64(halfLife))
}

// learn takes in one more rate.
func (u *usual) learn(x float64, at time.Time) {
	if u.N == 0 {
		u.Mean = x
	}
	if u.N >= minActivity { // before that nothing is usual
		u.Sum = min(max(0, u.sum(at)+u.z(x)-0.5), maxSum)
	}
	u.N = min(u.N+1, maxCount)
	gain := max(1/float64(u.N), minGain)
	bound := clip * u.deviation()
	step := max(-bound, min(x-u.Mean, bound))
	u.Variance = (1 - gain) * (u.Variance + gain*step*step)
	u.Mean += gain * step
	u.At = at
}

// score is the llr of a sum.
func score(sum float64) float64 { return max(-limit, min(0, price-sum)) }

// confidence grows with the history: a half after 20 pieces of activity.
func confidence(n int) float64 { return float64(n) / (float64(n) + 20) }
