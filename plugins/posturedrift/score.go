package main

import (
	"math"
	"slices"
	"time"
)

// Of a claim, g and b are the hours in which it passed and did not. That it does
// not pass has the probability
//
//	p = (b + ½) / (g + b + 10)            on this device: 1 in 20 before it is known
//	q = 1/10                              on one that is tampered with or another
//
// and says t = min(0, ln(p/q)) if it does not pass, max(0, ln((1−p)/(1−q))) if it
// does. Changes F, halved every day, say f = min(0, ln 3 − R(F, 2)), at least
// −mostFlaps, with R(c, μ) = c·ln(c/μ) − (c − μ) if c > μ, else 0. With the t
// below 0 in their order, worst first,
//
//	llr = t₁ + t₂/2 + t₃/3 + … + the worst f, at least −limit
//
// since claims of one device break together. Where nothing is below 0, the llr is
// the sum of the t above 0, at most mostFor.
const (
	priorBad  = 0.5
	prior     = 10.0
	tampered  = 0.1
	flaps     = 2.0
	mostFlaps = 1.5
	mostFor   = 0.3
	limit     = 3.0
	halfLife  = 24 * time.Hour
)

// term is t of one claim.
func term(good, bad int, passes bool) float64 {
	p := (float64(bad) + priorBad) / (float64(good+bad) + prior)
	if passes {
		return max(0, math.Log((1-p)/(1-tampered)))
	}
	return min(0, math.Log(p/tampered))
}

// flapping is f.
func flapping(changes float64) float64 {
	if changes <= flaps {
		return 0
	}
	ratio := changes*math.Log(changes/flaps) - (changes - flaps)
	return max(-mostFlaps, min(0, math.Log(3)-ratio))
}

// score is the llr of all terms and the worst f.
func score(terms []float64, flap float64) float64 {
	slices.Sort(terms)
	against, good := flap, 0.0
	for i, t := range terms {
		if t < 0 {
			against += t / float64(i+1)
		} else {
			good += t
		}
	}
	if against < 0 {
		return max(-limit, against)
	}
	return min(good, mostFor)
}

// confidence grows with the hours of reports: a half after five.
func confidence(hours int) float64 { return float64(hours) / (float64(hours) + 5) }
