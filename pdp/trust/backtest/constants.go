package backtest

import (
	"maps"
	"slices"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Weight is one cluster's w and ρ.
type Weight struct {
	Weight      float64 `json:"weight"`
	Correlation float64 `json:"correlation"`
}

// Calibration maps one plugin's log likelihood ratio onto the common scale.
type Calibration struct {
	Scale float64 `json:"scale"`
	Shift float64 `json:"shift"`
}

// Constants are what of the fusion's weights a backtest fits or varies, in nats.
type Constants struct {
	CapPositive float64                 `json:"cap_positive"`
	CapNegative float64                 `json:"cap_negative"`
	Missing     float64                 `json:"missing"` // κ
	PluginsCap  float64                 `json:"plugins_cap"`
	Clusters    map[wire.Cluster]Weight `json:"clusters"`
	Calibration map[string]Calibration  `json:"calibration,omitempty"`
}

func (c Constants) clone() Constants {
	c.Clusters, c.Calibration = maps.Clone(c.Clusters), maps.Clone(c.Calibration)
	if c.Calibration == nil {
		c.Calibration = map[string]Calibration{}
	}
	return c
}

// Fusion is what a backtest asks of the fusion (pdp/trust/fusion).
type Fusion interface {
	// Shipped are the constants in force.
	Shipped() Constants
	// Gates is what a fresh sign-in on a proven laptop counts before any
	// plugin has spoken, in nats.
	Gates() float64
	// With returns what verdicts add in nats with those constants. What it
	// returns may be called by several goroutines at once.
	With(c *Constants) func(verdicts []wire.Verdict) float64
}

// clusterList are the clusters of the plugins that take part, in a fixed order.
func clusterList(plugins []Plugin) []wire.Cluster {
	set := map[wire.Cluster]bool{}
	for _, p := range plugins {
		set[p.Cluster] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// verdicts are a session's opinions as the fusion takes them; those of the
// cluster that is down are missing.
func (r *Replayed) verdicts(into []wire.Verdict, s *session, down wire.Cluster) []wire.Verdict {
	into = into[:0]
	for i, o := range s.opinions {
		p := &r.plugins[i]
		v := wire.Verdict{Plugin: p.Name, Cluster: p.Cluster, LLR: o.llr, Confidence: o.confidence, Abstained: o.said == abstained}
		if o.said == missing || p.Cluster == down {
			v = wire.Verdict{Plugin: p.Name, Cluster: p.Cluster, Missing: true}
		}
		into = append(into, v)
	}
	return into
}

// scores are the nats of all sessions, in order.
func (r *Replayed) scores(f Fusion, c *Constants, down wire.Cluster) []float64 {
	out := make([]float64, len(r.sessions))
	nats := f.With(c)
	parts(len(out), func(from, to int) {
		var room []wire.Verdict
		for i := from; i < to; i++ {
			room = r.verdicts(room, &r.sessions[i], down)
			out[i] = nats(room)
		}
	})
	return out
}
