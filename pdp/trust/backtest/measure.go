package backtest

import (
	"math"
	"math/rand/v2"
	"slices"
	"sort"
)

// curve is the distribution of scores that thresholds are read from: genuine
// sign-ins and attacks, each sorted. Below a threshold a sign-in is asked to
// authenticate again.
type curve struct{ genuine, attacks []float64 }

func newCurve(genuine, attacks []float64) curve {
	c := curve{slices.Clone(genuine), slices.Clone(attacks)}
	slices.Sort(c.genuine)
	slices.Sort(c.attacks)
	return c
}

// below is the share of sorted values under the threshold.
func below(sorted []float64, threshold float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return float64(sort.SearchFloat64s(sorted, threshold)) / float64(len(sorted))
}

// threshold is the highest one that asks no more than that share of genuine
// sign-ins again. Equal scores are asked together or not at all.
func (c *curve) threshold(reauthentication float64) float64 {
	return thresholdOf(c.genuine, reauthentication)
}

func thresholdOf(genuine []float64, share float64) float64 {
	if len(genuine) == 0 {
		return math.Inf(-1)
	}
	i := min(int(share*float64(len(genuine))+1e-9), len(genuine)-1)
	return genuine[i]
}

// catching is the lowest threshold at which at least that share of the attacks
// is asked again.
func (c *curve) catching(rate float64) float64 {
	if len(c.attacks) == 0 {
		return math.Inf(-1)
	}
	i := int(math.Ceil(rate*float64(len(c.attacks))-1e-9)) - 1
	return math.Nextafter(c.attacks[max(0, i)], math.Inf(1))
}

// area under the curve: how often an attack scores below a genuine sign-in.
func (c *curve) area() float64 {
	if len(c.attacks) == 0 || len(c.genuine) == 0 {
		return 0
	}
	sum := 0.0
	for _, a := range c.attacks {
		under := sort.SearchFloat64s(c.genuine, a)
		upTo := sort.Search(len(c.genuine), func(i int) bool { return c.genuine[i] > a })
		sum += float64(len(c.genuine)-upTo) + float64(upTo-under)/2
	}
	return sum / float64(len(c.attacks)) / float64(len(c.genuine))
}

// rocSteps are the shares of genuine sign-ins at which the curve is drawn.
func rocSteps() []float64 {
	return []float64{
		0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.065, 0.08, 0.1,
		0.125, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9,
	}
}

func (c *curve) roc() []Point {
	var out []Point
	for _, share := range rocSteps() {
		t := c.threshold(share)
		out = append(out, Point{Reauthentication: decimals(below(c.genuine, t)), TPR: decimals(below(c.attacks, t))})
	}
	return append(out, Point{1, 1})
}

// decimals keeps figures readable, and equal where only the last bits differ.
func decimals(x float64) float64 { return math.Round(x*1e5) / 1e5 }

// scored is a score with whose it is.
type scored struct {
	nats   float64
	person int32
	attack bool
}

// Bootstrap.
const (
	resamples     = 200
	bootstrapSeed = 20160221 // any number serves; a fixed one gives the same report again
	confidencePct = 95
)

// interval is the range of the rate of attacks caught, at each share of genuine
// sign-ins asked again, over samples of people with replacement (Efron 1979): a
// person's sign-ins hang together, and so do the attacks on them.
func interval(all []scored, people int, shares []float64) (low, high []float64) {
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b scored) int {
		switch {
		case a.nats < b.nats:
			return -1
		case a.nats > b.nats:
			return 1
		}
		return 0
	})
	rates := make([][]float64, resamples)
	parts(resamples, func(from, to int) {
		times := make([]int32, people)
		for n := from; n < to; n++ {
			dice := rand.New(rand.NewPCG(bootstrapSeed, uint64(n))) // #nosec G404 G115 -- resampling; must be repeatable
			clear(times)
			for range people {
				times[dice.IntN(people)]++
			}
			rates[n] = resampled(sorted, times, shares)
		}
	})
	low, high = make([]float64, len(shares)), make([]float64, len(shares))
	for k := range shares {
		column := make([]float64, resamples)
		for n := range rates {
			column[n] = rates[n][k]
		}
		slices.Sort(column)
		tail := resamples * (100 - confidencePct) / 200
		low[k], high[k] = column[tail], column[resamples-1-tail]
	}
	return low, high
}

// resampled walks the sorted scores once, each counted as often as its person
// was drawn.
func resampled(sorted []scored, times []int32, shares []float64) []float64 {
	genuine, attacks := 0.0, 0.0
	for i := range sorted {
		n := float64(times[sorted[i].person])
		if sorted[i].attack {
			attacks += n
		} else {
			genuine += n
		}
	}
	out := make([]float64, len(shares))
	var g, a float64
	k := 0
	for i := 0; i < len(sorted) && k < len(shares); {
		j, moreG, moreA := i, 0.0, 0.0
		for ; j < len(sorted) && sorted[j].nats == sorted[i].nats; j++ {
			n := float64(times[sorted[j].person])
			if sorted[j].attack {
				moreA += n
			} else {
				moreG += n
			}
		}
		// The threshold may stand just below these scores, not above them.
		for k < len(shares) && g+moreG > shares[k]*genuine {
			out[k] = a / max(1, attacks)
			k++
		}
		g, a, i = g+moreG, a+moreA, j
	}
	for ; k < len(shares); k++ {
		out[k] = a / max(1, attacks)
	}
	return out
}

// bins of the calibration error.
const calibrationBins = 15

// reliability collects how often a score of so much was the person.
type reliability struct {
	weight, said, true [calibrationBins]float64
}

func (r *reliability) add(probability, weight float64, genuine bool) {
	i := min(int(probability*calibrationBins), calibrationBins-1)
	r.weight[i] += weight
	r.said[i] += weight * probability
	if genuine {
		r.true[i] += weight
	}
}

// ece is the expected calibration error: the mean distance between what was
// said and what was true, by weight (Naeini et al. 2015).
func (r *reliability) ece() float64 {
	total, sum := 0.0, 0.0
	for i := range r.weight {
		total += r.weight[i]
		sum += math.Abs(r.said[i] - r.true[i])
	}
	if total == 0 {
		return 0
	}
	return sum / total
}

func (r *reliability) bins() []Bin {
	total := 0.0
	for _, w := range r.weight {
		total += w
	}
	var out []Bin
	for i, w := range r.weight {
		if w > 0 {
			out = append(out, Bin{Said: decimals(r.said[i] / w), True: decimals(r.true[i] / w), Share: decimals(w / total)})
		}
	}
	return out
}
