package backtest

import (
	"math"

	"github.com/menshen-zt/menshen/internal/wire"
)

// The fit, in three steps, each with one answer:
//
//  1. each plugin alone: scale ≥ minScale and shift that make c·(scale·llr +
//     shift) the logarithm of a likelihood ratio (logistic regression on the
//     sessions that it answered);
//  2. ρ of each cluster: the correlation of what its plugins say for somebody,
//     in the class where it is larger; 1 where there is nothing to measure;
//  3. the clusters' weights ≥ 0 (logistic regression without an intercept: no
//     evidence is even odds). Half of it is with all clusters up, half with one
//     of them down, which then counts −κ: so no cluster's weight is given to
//     another that says the same while both are up.
//
// Attacks count as much as genuine sign-ins together, and each kind of
// attacker as much as the next: how many there are is the generator's doing.
const (
	minScale  = 0.05
	maxScale  = 4
	maxShift  = 4
	maxWeight = 4
	ridge     = 1e-3 // towards what is shipped, against the weight of all sessions
	newtons   = 60
	upShare   = 0.5
)

// Fit returns constants fitted on the sessions before the split, of all kinds
// of attackers but the one held out.
func (r *Replayed) fit(shipped Constants, split int, heldOut Label) Constants {
	c := shipped.clone()
	rows, weights := r.rows(split, heldOut)
	for i := range r.plugins {
		c.Calibration[r.plugins[i].Name] = r.calibrate(i, rows, weights)
	}
	for _, g := range clusterList(r.plugins) {
		c.Clusters[g] = Weight{Weight: c.Clusters[g].Weight, Correlation: r.correlation(&c, g, rows)}
	}
	r.weigh(&c, rows, weights)
	return c
}

// rows are the sessions to learn from and how much each counts: all to one.
func (r *Replayed) rows(split int, heldOut Label) (rows []int, weights []float64) {
	counts := map[Label]float64{}
	for i := range r.sessions[:split] {
		if s := &r.sessions[i]; !s.poison && s.label != heldOut {
			rows = append(rows, i)
			counts[s.label]++
		}
	}
	kinds := max(1, float64(len(counts)-1))
	for _, i := range rows {
		label := r.sessions[i].label
		share := 0.5
		if label != Genuine {
			share /= kinds
		}
		weights = append(weights, share/counts[label])
	}
	return rows, weights
}

// calibrate is step 1.
func (r *Replayed) calibrate(plugin int, rows []int, weights []float64) Calibration {
	x, y, w := []float64{}, []float64{}, []float64{}
	confidence := []float64{}
	for n, i := range rows {
		o := r.sessions[i].opinions[plugin]
		if o.said != answered || o.confidence <= 0 {
			continue
		}
		x, confidence = append(x, o.confidence*o.llr), append(confidence, o.confidence)
		y, w = append(y, truth(r.sessions[i].label)), append(w, weights[n])
	}
	at := logistic([][]float64{x, confidence}, y, w, []float64{1, 0}, []float64{minScale, -maxShift}, []float64{maxScale, maxShift})
	return Calibration{Scale: round(at[0]), Shift: round(at[1])}
}

func truth(l Label) float64 {
	if l == Genuine {
		return 1
	}
	return 0
}

// round keeps what a person can read in a file; the fit is not better known.
func round(x float64) float64 { return math.Round(x*1000) / 1000 }

// weigh is step 3. Each session stands there once as it was, and once for each
// cluster that might be down.
func (r *Replayed) weigh(c *Constants, rows []int, weights []float64) {
	clusters := clusterList(r.plugins)
	scenes := 1 + len(clusters)
	columns := make([][]float64, len(clusters))
	y, w := make([]float64, scenes*len(rows)), make([]float64, scenes*len(rows))
	for k, g := range clusters {
		columns[k] = make([]float64, scenes*len(rows))
		for n, i := range rows {
			e := r.clusterNats(c, &r.sessions[i], g)
			for scene := range scenes {
				columns[k][scene*len(rows)+n] = e
			}
			columns[k][(1+k)*len(rows)+n] = -c.Missing
		}
	}
	for scene := range scenes {
		share := upShare
		if scene > 0 {
			share = (1 - upShare) / float64(len(clusters))
		}
		for n, i := range rows {
			y[scene*len(rows)+n], w[scene*len(rows)+n] = truth(r.sessions[i].label), share*weights[n]
		}
	}
	start, low, high := make([]float64, len(clusters)), make([]float64, len(clusters)), make([]float64, len(clusters))
	for k := range clusters {
		start[k], high[k] = 1, maxWeight
	}
	for k, weight := range logistic(columns, y, w, start, low, high) {
		c.Clusters[clusters[k]] = Weight{Weight: round(weight), Correlation: c.Clusters[clusters[k]].Correlation}
	}
}

// clusterNats is E_g as the fusion computes it, before its weight. The fusion
// itself gives the scores; a test holds the two together.
func (r *Replayed) clusterNats(c *Constants, s *session, g wire.Cluster) float64 {
	positive, lowest, members := 0.0, 0.0, 0
	for i, o := range s.opinions {
		if r.plugins[i].Cluster != g {
			continue
		}
		members++
		e := c.evidence(r.plugins[i].Name, o)
		positive += max(0, e)
		lowest = min(lowest, e)
	}
	return positive/(1+float64(members-1)*c.Clusters[g].Correlation) + lowest
}

// evidence is e_i.
func (c *Constants) evidence(plugin string, o opinion) float64 {
	switch o.said {
	case missing:
		return -c.Missing
	case abstained:
		return 0
	}
	llr := o.llr
	if k, ok := c.Calibration[plugin]; ok {
		llr = k.Scale*llr + k.Shift
	}
	return o.confidence * max(-c.CapNegative, min(llr, c.CapPositive))
}

// correlation is step 2.
func (r *Replayed) correlation(c *Constants, g wire.Cluster, rows []int) float64 {
	var members []int
	for i := range r.plugins {
		if r.plugins[i].Cluster == g {
			members = append(members, i)
		}
	}
	if len(members) < 2 {
		return 1
	}
	worst := 0.0
	for _, class := range [...]float64{0, 1} {
		sum, pairs := 0.0, 0
		for a := range members {
			for _, b := range members[a+1:] {
				rho, ok := r.pair(c, members[a], b, rows, class)
				if !ok {
					return 1
				}
				sum += max(0, rho)
				pairs++
			}
		}
		worst = max(worst, sum/float64(pairs))
	}
	return round(worst)
}

// pair is Pearson's correlation of what two plugins say for somebody.
func (r *Replayed) pair(c *Constants, a, b int, rows []int, class float64) (float64, bool) {
	var n, sa, sb, saa, sbb, sab float64
	for _, i := range rows {
		s := &r.sessions[i]
		if truth(s.label) != class || s.opinions[a].said != answered || s.opinions[b].said != answered {
			continue
		}
		x, y := max(0, c.evidence(r.plugins[a].Name, s.opinions[a])), max(0, c.evidence(r.plugins[b].Name, s.opinions[b]))
		n, sa, sb, saa, sbb, sab = n+1, sa+x, sb+y, saa+x*x, sbb+y*y, sab+x*y
	}
	va, vb := saa-sa*sa/n, sbb-sb*sb/n
	switch {
	case n < 100:
		return 0, false
	case va <= 1e-9 || vb <= 1e-9:
		return 0, true // one of them never speaks for anybody
	}
	return (sab - sa*sb/n) / math.Sqrt(va*vb), true
}
