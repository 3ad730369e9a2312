package main

import "math"

// The model. A moment is a kind of day c (work or rest) and an angle θ. With a
// person's n sign-ins and everybody else's N, densities being relative to the
// share s_c of such days in the year:
//
//	K(θ, c | i) = exp(κ·cos(θ−θᵢ)) / (2π·I₀(κ)) · ((1−λ)·[c=cᵢ]/s_c + λ)
//	I(θ, c)     = ½·(Σⱼ K(θ, c | j) + 1/2π)/(N+1) + ½·1/2π      an impostor's
//	U(θ, c)     = (Σᵢ K(θ, c | i) + α·I(θ, c)) / (n + α)          this person's
//	llr         = ln( U / I ), clipped to ±limit
//
// The impostor is a colleague half the time and somebody at any hour the other
// half. Others' sign-ins j stand in the middle of their half hour. κ is fixed:
// rules that choose it from the data assume hours with one peak, and office work
// has two. λ is the share of sign-ins that keep to no kind of day.
const (
	kappa     = 12.0 // a width of 1.1 hours
	lambda    = 0.05
	alpha     = 1.0
	restShare = 0.31 // of a year: weekends and about eleven holidays
	bins      = 48
	limit     = 3.0
)

// kernel is the von Mises density; its norm is worked out once.
type kernel struct{ norm float64 }

func newKernel() kernel { return kernel{norm: 1 / (2 * math.Pi * besselI0(kappa))} }

// besselI0 is the modified Bessel function of order 0, by its power series.
func besselI0(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > sum*1e-16; k++ {
		term *= x * x / (4 * k * k)
		sum += term
	}
	return sum
}

func share(rest bool) float64 {
	if rest {
		return restShare
	}
	return 1 - restShare
}

// near is K.
func (k kernel) near(m, i moment) float64 {
	day := lambda
	if m.rest == i.rest {
		day += (1 - lambda) / share(m.rest)
	}
	return k.norm * math.Exp(kappa*math.Cos(m.angle-i.angle)) * day
}

// crowd counts sign-ins by kind of day and half hour.
type crowd struct {
	all  int
	bins [2][bins]int
}

func (c *crowd) add(m moment, n int) {
	c.all += n
	c.bins[kind(m.rest)][bin(m.angle)] += n
}

func kind(rest bool) int {
	if rest {
		return 1
	}
	return 0
}

func bin(angle float64) int { return min(int(angle/(2*math.Pi)*bins), bins-1) }

// impostor is I.
func (k kernel) impostor(m moment, others *crowd) float64 {
	const uniform = 1 / (2 * math.Pi)
	colleagues := uniform
	for n := range bins {
		work, rest := others.bins[0][n], others.bins[1][n]
		if work == 0 && rest == 0 {
			continue
		}
		middle := moment{angle: 2 * math.Pi * (float64(n) + 0.5) / bins}
		colleagues += float64(work) * k.near(m, middle)
		middle.rest = true
		colleagues += float64(rest) * k.near(m, middle)
	}
	return 0.5*colleagues/(float64(others.all)+1) + 0.5*uniform
}

// score is the llr of a person with n sign-ins, whose kernels add up to near.
func score(near float64, n int, impostor float64) float64 {
	self := (near + alpha*impostor) / (float64(n) + alpha)
	return max(-limit, min(math.Log(self/impostor), limit))
}

// confidence grows with the history: a half after ten sign-ins.
func confidence(n int) float64 { return float64(n) / (float64(n) + 10) }
