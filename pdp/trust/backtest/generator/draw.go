package generator

import (
	"math"
	"math/rand/v2"
)

// dice draw reproducibly; each subject has its own, so that one more draw for
// one person changes nothing for the next.
type dice struct{ *rand.Rand }

// streams tell the dice of different subjects apart.
const (
	streamWorld uint64 = iota << 32
	streamAgency
	streamPerson
	streamAttack
	streamPoison
)

func newDice(seed, stream uint64) dice {
	return dice{rand.New(rand.NewPCG(seed, stream))} // #nosec G404 -- made-up people, not secrets: a seed must give them again
}

func (d dice) chance(p float64) bool { return d.Float64() < p }

func (d dice) normal(mean, deviation float64) float64 { return mean + deviation*d.NormFloat64() }

// lognormal has that median.
func (d dice) lognormal(median, deviation float64) float64 {
	return median * math.Exp(deviation*d.NormFloat64())
}

func (d dice) days(mean float64) float64 { return mean * d.ExpFloat64() }

// poisson is exact for the small means of this package (Knuth).
func (d dice) poisson(mean float64) int {
	n, p, limit := 0, 1.0, math.Exp(-mean)
	for {
		if p *= d.Float64(); p <= limit {
			return n
		}
		n++
	}
}

// pick returns an index by weight.
func (d dice) pick(weights []float64) int {
	total := 0.0
	for _, w := range weights {
		total += w
	}
	at := d.Float64() * total
	for i, w := range weights {
		if at -= w; at < 0 {
			return i
		}
	}
	return len(weights) - 1
}

// zipf are the weights of n ranks.
func zipf(n int, exponent float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = math.Pow(float64(i+1), -exponent)
	}
	return out
}
