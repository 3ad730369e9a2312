package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/trust/backtest"
	"github.com/menshen-zt/menshen/pdp/trust/fusion"
)

// fusing is the PDP's fusion as a backtest asks for it.
type fusing struct{ weights *fusion.Weights }

// Shipped implements backtest.Fusion.
func (f fusing) Shipped() backtest.Constants {
	w := f.weights
	c := backtest.Constants{
		CapPositive: w.Verdict.CapPositive, CapNegative: w.Verdict.CapNegative, Missing: w.Verdict.Missing, PluginsCap: w.PluginsCap,
		Clusters: map[wire.Cluster]backtest.Weight{}, Calibration: map[string]backtest.Calibration{},
	}
	for name, k := range w.Clusters {
		c.Clusters[name] = backtest.Weight{Weight: k.Weight, Correlation: k.Correlation}
	}
	for name, k := range w.Calibration {
		c.Calibration[name] = backtest.Calibration{Scale: k.Scale, Shift: k.Shift}
	}
	return c
}

// Gates implements backtest.Fusion: a touch of a hardware key a moment ago, on
// a laptop whose TPM was heard a moment ago.
func (f fusing) Gates() float64 {
	w := f.weights
	return w.Base + w.SignIn.AAL3 + w.Device.Affirming*w.Device.Provenance[wire.ProvenanceTPM]
}

// With implements backtest.Fusion: what the plugins add, without the gates.
func (f fusing) With(c *backtest.Constants) func([]wire.Verdict) float64 {
	w := with(f.weights, c)
	w.Base = 0
	now := time.Unix(0, 0).UTC() // all verdicts are of one moment
	return func(verdicts []wire.Verdict) float64 {
		plugins := make([]fusion.Plugin, len(verdicts))
		for i, v := range verdicts {
			v.ObservedAt, v.TTL = now, time.Hour
			plugins[i] = fusion.Plugin{Name: v.Plugin, Cluster: v.Cluster}.Hear(w, v)
		}
		return fusion.Fuse(w, fusion.Inputs{Now: now, Plugins: plugins}).Nats
	}
}

// with are the weights with a backtest's constants in place of their own.
func with(old *fusion.Weights, c *backtest.Constants) *fusion.Weights {
	w := *old
	w.Verdict.CapPositive, w.Verdict.CapNegative = c.CapPositive, c.CapNegative
	w.Verdict.Missing, w.PluginsCap = c.Missing, c.PluginsCap
	w.Clusters = make(map[wire.Cluster]fusion.ClusterWeight, len(c.Clusters))
	for name, k := range c.Clusters {
		w.Clusters[name] = fusion.ClusterWeight{Weight: k.Weight, Correlation: k.Correlation}
	}
	w.Calibration = make(map[string]fusion.Calibration, len(c.Calibration))
	for name, k := range c.Calibration {
		w.Calibration[name] = fusion.Calibration{Scale: k.Scale, Shift: k.Shift}
	}
	return &w
}

// weightsFile writes fitted constants as a file that the PDP reads; its version
// says where it is from. What a backtest does not fit stays as it is.
func weightsFile(old *fusion.Weights, c *backtest.Constants, source string) []byte {
	w := with(old, c)
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	say("# A candidate, fitted by menshenctl plugin backtest on %s.\n", clean(source))
	say("# Try it in shadow mode before it counts (docs/backtest.md).\nversion: \"candidate\"\nbase: %g\n", w.Base)
	say("sign_in: {aal3: %g, aal2: %g, half_life: %s}\n", w.SignIn.AAL3, w.SignIn.AAL2, w.SignIn.HalfLife)
	say("device:\n  affirming: %g\n  half_life: %s\n  provenance:\n", w.Device.Affirming, w.Device.HalfLife)
	for _, p := range slices.Sorted(maps.Keys(w.Device.Provenance)) {
		say("    %s: %g\n", p, w.Device.Provenance[p])
	}
	v := w.Verdict
	say("verdict:\n  cap_positive: %g\n  cap_negative: %g\n  half_life_positive: %s\n  half_life_negative: %s\n  missing: %g\n",
		v.CapPositive, v.CapNegative, v.HalfLifePositive, v.HalfLifeNegative, v.Missing)
	say("plugins_cap: %g\nclusters:\n", w.PluginsCap)
	for _, g := range fusion.Clusters() {
		say("  %s: {weight: %g, correlation: %g}\n", g, w.Clusters[g].Weight, w.Clusters[g].Correlation)
	}
	say("rising:\n  margin: %g\n  hold: %s\n", w.Rising.Margin, w.Rising.Hold)
	if len(w.Calibration) == 0 {
		say("calibration: {}\n")
		return []byte(b.String())
	}
	say("calibration:\n")
	for _, name := range slices.Sorted(maps.Keys(w.Calibration)) {
		say("  %s: {scale: %g, shift: %g}\n", name, w.Calibration[name].Scale, w.Calibration[name].Shift)
	}
	return []byte(b.String())
}
