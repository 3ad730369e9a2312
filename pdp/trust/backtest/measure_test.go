package backtest

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func near(a, b, by float64) bool { return math.Abs(a-b) <= by }

func TestThresholdsByHand(t *testing.T) {
	c := newCurve([]float64{3, 1, 2, 2, 5, 6, 7, 8, 9, 10}, []float64{0, 2, 4, -1})
	for share, want := range map[float64]float64{0: 1, 0.05: 1, 0.1: 2, 0.2: 2, 0.3: 3, 0.99: 10} {
		if got := c.threshold(share); got != want {
			t.Errorf("%v: threshold %v, want %v", share, got, want)
		}
		if asked := below(c.genuine, c.threshold(share)); asked > share {
			t.Errorf("%v: %v of genuine sign-ins are asked", share, asked)
		}
	}
	if got := below(c.attacks, c.threshold(0.1)); got != 0.5 { // −1 and 0 lie below 2; the 2 is let in with the genuine ones
		t.Errorf("caught %v", got)
	}
	for rate, want := range map[float64]float64{0.25: 0.25, 0.5: 0.5, 0.51: 0.75, 1: 1} {
		if got := below(c.attacks, c.catching(rate)); got != want {
			t.Errorf("catching %v caught %v", rate, got)
		}
	}
	lower := 0.0
	for _, a := range c.attacks {
		for _, g := range c.genuine {
			switch {
			case a < g:
				lower++
			case a == g:
				lower += 0.5
			}
		}
	}
	if got := c.area(); !near(got, lower/40, 1e-12) {
		t.Errorf("area %v, want %v", got, lower/40)
	}
}

func TestNothingToMeasureIsNoFigure(t *testing.T) {
	c := newCurve(nil, nil)
	if c.area() != 0 || !math.IsInf(c.threshold(0.05), -1) || !math.IsInf(c.catching(0.98), -1) || below(nil, 1) != 0 {
		t.Error("a figure from nothing")
	}
}

func TestResamplingAllOnceIsTheSampleItself(t *testing.T) {
	d := rand.New(rand.NewPCG(1, 2))
	var all []scored
	var genuine, attacks []float64
	times := make([]int32, 50)
	for i := range 2000 {
		s := scored{math.Round(d.NormFloat64() * 4), int32(i % 50), i%5 == 0}
		if s.attack {
			s.nats -= 2
			attacks = append(attacks, s.nats)
		} else {
			genuine = append(genuine, s.nats)
		}
		all = append(all, s)
		times[s.person] = 1
	}
	slices.SortFunc(all, func(a, b scored) int { return int(a.nats - b.nats) })
	c := newCurve(genuine, attacks)
	shares := []float64{0.01, 0.05, 0.2}
	for k, got := range resampled(all, times, shares) {
		if want := below(c.attacks, c.threshold(shares[k])); !near(got, want, 1e-12) {
			t.Errorf("%v: %v, want %v", shares[k], got, want)
		}
	}
	low, high := interval(all, 50, shares)
	again, _ := interval(all, 50, shares)
	if !slices.Equal(low, again) {
		t.Error("another interval from the same sample")
	}
	for k := range shares {
		if got := below(c.attacks, c.threshold(shares[k])); low[k] > got || got > high[k] || low[k] == high[k] {
			t.Errorf("%v: %v is not inside [%v, %v]", shares[k], got, low[k], high[k])
		}
	}
}

func TestCalibrationErrorByHand(t *testing.T) {
	var r reliability
	r.add(0.95, 1, true)
	r.add(0.95, 1, false) // said .95, true .5
	r.add(0.05, 2, false) // said .05, true 0
	if got := r.ece(); !near(got, (0.9+0.1)/4, 1e-12) {
		t.Errorf("ECE %v", got)
	}
	r = reliability{}
	r.add(1, 1, true)
	if got := r.ece(); got != 0 {
		t.Errorf("ECE of certainty that is right: %v", got)
	}
}

func TestLogisticFindsWhatTheDataWereMadeWith(t *testing.T) {
	d := rand.New(rand.NewPCG(3, 4))
	const n = 20000
	x := [][]float64{make([]float64, n), make([]float64, n), make([]float64, n)}
	y, w := make([]float64, n), make([]float64, n)
	for i := range n {
		for k := range x {
			x[k][i] = d.NormFloat64()
		}
		if d.Float64() < sigmoid(1.5*x[0][i]-0.7*x[1][i]) {
			y[i] = 1
		}
		w[i] = 1.0 / n
	}
	free := []float64{-9, -9, -9}
	got := logistic(x, y, w, []float64{1, 0, 0}, free, []float64{9, 9, 9})
	for k, want := range []float64{1.5, -0.7, 0} {
		if !near(got[k], want, 0.06) {
			t.Errorf("coefficient %d: %v, want %v", k, got[k], want)
		}
	}
	bounded := logistic(x, y, w, []float64{1, 1, 1}, []float64{0, 0, 0}, []float64{1, 9, 9})
	if bounded[0] != 1 || bounded[1] != 0 {
		t.Errorf("bounds were not kept: %v", bounded)
	}
}

func TestMedian(t *testing.T) {
	for want, counts := range map[float64][]int{0: nil, 2: {3, 1, 2}, 2.5: {4, 1, 2, 3}} {
		if got := median(counts); got != want {
			t.Errorf("median of %v is %v", counts, got)
		}
	}
}
