package fusion

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// States of a term (wire.TrustTerm).
const (
	Answered  = "answered"
	Abstained = "abstained"
	Missing   = "missing"
	Gate      = "gate"
	OfCluster = "cluster"
	Held      = "held"
	// Muted is an alarm that an officer found harmless, Shadowed a plugin that
	// counts in no score.
	Muted    = "muted"
	Shadowed = "shadow"
)

// Inputs are everything that a score depends on, beside the weights.
type Inputs struct {
	Now        time.Time
	SignIn     wire.SignIn
	Provenance wire.Provenance
	Standing   wire.DeviceStanding
	// Plugins are those registered, whether they answer or not; in any order.
	Plugins []Plugin
	// Muted are reasons that an officer found harmless (requirements 31): a
	// code, or plugin/code. A plugin that speaks against somebody for such
	// reasons alone counts as one that abstains.
	Muted []string
}

// Result is the score before its rise is held back (Rising).
type Result struct {
	// Nats is L.
	Nats float64
	// Coverage is the share of registered plugins that answered with a
	// confidence of at least leastConfidence, 0 to 1.
	Coverage float64
	// Terms in a fixed order; those of the states Gate and OfCluster add up to
	// Nats.
	Terms []wire.TrustTerm
}

// Fuse adds up.
func Fuse(w *Weights, in Inputs) Result {
	var out Result
	gate := func(name string, nats float64, why wire.Reason) {
		out.Nats += nats
		out.Terms = append(out.Terms, wire.TrustTerm{Name: name, Nats: nats, State: Gate, Reasons: []wire.Reason{why}})
	}
	gate("base", w.Base, reason.New(reason.TrustBase))
	gate("sign-in", signInNats(w, &in), reason.New(reason.TrustSignIn, "minutes", minutes(in.SignIn.At, in.Now)))
	gate("device", deviceNats(w, &in), reason.New(reason.TrustDevice, "minutes", minutes(in.Standing.Result.IssuedAt, in.Now)))

	perCluster, answered := map[wire.Cluster][]float64{}, 0
	for _, p := range slices.SortedFunc(slices.Values(in.Plugins), byName) {
		nats, state, reasons := p.contribution(w, in.Now, in.Muted)
		if state == Answered && sureness(&p.Verdict) == sure {
			answered++
		}
		perCluster[p.Cluster] = append(perCluster[p.Cluster], nats)
		out.Terms = append(out.Terms, wire.TrustTerm{Name: p.Name, Cluster: p.Cluster, Nats: nats, State: state, Reasons: reasons, Version: p.Verdict.Version})
	}
	inferred := 0.0
	for _, g := range slices.Sorted(maps.Keys(perCluster)) {
		nats := w.Clusters[g].Weight * clusterNats(perCluster[g], w.Clusters[g].Correlation)
		inferred += nats
		out.Terms = append(out.Terms, wire.TrustTerm{Name: string(g), Cluster: g, Nats: nats, State: OfCluster})
	}
	if over := inferred - w.PluginsCap; over > 0 {
		inferred = w.PluginsCap
		out.Terms = append(out.Terms, wire.TrustTerm{
			Name: "cap", Nats: -over, State: Gate, Reasons: []wire.Reason{reason.New(reason.TrustCapped)},
		})
	}
	out.Nats += inferred
	if len(in.Plugins) > 0 {
		out.Coverage = float64(answered) / float64(len(in.Plugins))
	}
	return out
}

func byName(a, b Plugin) int { return cmp.Compare(a.Name, b.Name) }

// clusterNats discounts agreement among correlated plugins and lets the worst
// alarm count in full.
func clusterNats(e []float64, correlation float64) float64 {
	slices.Sort(e) // one order of addition, one result
	positive := 0.0
	for _, x := range e {
		positive += max(0, x)
	}
	return positive/(1+float64(len(e)-1)*correlation) + min(0, e[0])
}

// Cap is how far one plugin of a cluster can move the score, in nats: down to
// lowest and up to highest, counted from where the score is when the plugin
// abstains and has no alarm standing (invariant 8).
func (w *Weights) Cap(g wire.Cluster) (lowest, highest float64) {
	weight := w.Clusters[g].Weight
	return -weight * (w.Verdict.CapNegative + w.Verdict.Missing), weight * w.Verdict.CapPositive
}

func signInNats(w *Weights, in *Inputs) float64 {
	if in.SignIn.At.IsZero() || in.SignIn.At.After(in.Now) {
		return 0
	}
	weight := 0.0
	switch {
	case in.SignIn.AAL >= 3:
		weight = w.SignIn.AAL3
	case in.SignIn.AAL == 2:
		weight = w.SignIn.AAL2
	}
	return decay(weight, in.Now.Sub(in.SignIn.At), w.SignIn.HalfLife)
}

// deviceNats counts a laptop that is proven and that nothing speaks against;
// gates, not the score, deal with the others.
func deviceNats(w *Weights, in *Inputs) float64 {
	s := &in.Standing
	v := s.Result.Vector
	usable := s.Standing == wire.StandingFresh || s.Standing == wire.StandingSilent
	tiers := [...]wire.Trustworthiness{v.InstanceIdentity, v.Hardware, v.Executables, v.Configuration}
	if !usable || v.InstanceIdentity != wire.Affirming || slices.Contains(tiers[:], wire.Contraindicated) ||
		s.Result.IssuedAt.IsZero() || s.Result.IssuedAt.After(in.Now) || !in.Now.Before(s.Result.ValidUntil) {
		return 0
	}
	return decay(w.Device.Affirming*w.Device.Provenance[in.Provenance], in.Now.Sub(s.Result.IssuedAt), w.Device.HalfLife)
}

// decay halves x every half. What lies in the future does not grow.
func decay(x float64, age, half time.Duration) float64 {
	return x * math.Exp2(-max(0, age.Seconds())/half.Seconds())
}

// Score is 100·σ(nats), rounded down; 0 for what is not a number.
func Score(nats float64) int {
	s := 100 / (1 + math.Exp(-nats))
	if math.IsNaN(s) {
		return 0
	}
	return int(max(0, min(s, 100)))
}

func minutes(then, now time.Time) string {
	if then.IsZero() || then.After(now) {
		return "0"
	}
	return strconv.Itoa(int(now.Sub(then) / time.Minute))
}
