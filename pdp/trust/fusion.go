package trust

import (
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
	stateAnswered  = "answered"
	stateAbstained = "abstained"
	stateMissing   = "missing"
	stateGate      = "gate"
	stateCluster   = "cluster"
	stateHeld      = "held"
)

// plugin is what the fusion knows of one registered plugin.
type plugin struct {
	name    string
	cluster wire.Cluster
	verdict wire.Verdict
	// negative is the plugin's last negative, not yet answered by contrary
	// evidence; its Nats are as they were at At.
	negative alarm
	// atSignIn is what the plugin said before the last sign-in was taught.
	atSignIn wire.Verdict
}

type alarm struct {
	Nats float64
	At   time.Time
}

// inputs are everything that an assessment depends on.
type inputs struct {
	now        time.Time
	signIn     wire.SignIn
	provenance wire.Provenance
	standing   wire.DeviceStanding
	plugins    []plugin
}

// fused is the fusion's answer before the score's rise is held back.
type fused struct {
	nats     float64
	coverage float64
	terms    []wire.TrustTerm
}

// fuse is the formula of the design:
//
//	e_i = c_i · clip(calibrate_i(llr_i), −b, +a) · 2^(−age/h)
//	E_g = Σ⁺ e_i / (1 + (m_g − 1)·ρ_g) + min(0, min_i e_i)
//	L   = b0 + A_mfa + A_device + min(P_max, Σ w_g·E_g)
//
// The terms of states gate and cluster add up to L.
func fuse(w *Weights, in inputs) fused {
	var out fused
	gate := func(name string, nats float64, why wire.Reason) {
		out.nats += nats
		out.terms = append(out.terms, wire.TrustTerm{Name: name, Nats: nats, State: stateGate, Reasons: []wire.Reason{why}})
	}
	gate("base", w.Base, reason.New(reason.TrustBase))
	gate("sign-in", signInNats(w, &in), reason.New(reason.TrustSignIn, "minutes", minutes(in.signIn.At, in.now)))
	gate("device", deviceNats(w, &in), reason.New(reason.TrustDevice, "minutes", minutes(in.standing.Result.IssuedAt, in.now)))

	perCluster, answered := map[wire.Cluster][]float64{}, 0
	sorted := slices.SortedFunc(slices.Values(in.plugins), func(a, b plugin) int { return compare(a.name, b.name) })
	for i := range sorted {
		p := &sorted[i]
		nats, state, reasons := contribution(w, p, in.now)
		if state == stateAnswered {
			answered++
		}
		perCluster[p.cluster] = append(perCluster[p.cluster], nats)
		out.terms = append(out.terms, wire.TrustTerm{Name: p.name, Cluster: p.cluster, Nats: nats, State: state, Reasons: reasons})
	}
	inferred := 0.0
	for _, g := range slices.Sorted(maps.Keys(perCluster)) {
		nats := w.Clusters[g].Weight * clusterNats(perCluster[g], w.Clusters[g].Correlation)
		inferred += nats
		out.terms = append(out.terms, wire.TrustTerm{Name: string(g), Cluster: g, Nats: nats, State: stateCluster})
	}
	if over := inferred - w.PluginsCap; over > 0 {
		inferred = w.PluginsCap
		out.terms = append(out.terms, wire.TrustTerm{
			Name: "cap", Nats: -over, State: stateGate, Reasons: []wire.Reason{reason.New(reason.TrustCapped)},
		})
	}
	out.nats += inferred
	if len(in.plugins) > 0 {
		out.coverage = float64(answered) / float64(len(in.plugins))
	}
	return out
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

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

// contribution is e_i of one plugin, whatever became of it.
func contribution(w *Weights, p *plugin, now time.Time) (float64, string, []wire.Reason) {
	v := &p.verdict
	kept := min(0, decay(p.negative.Nats, now.Sub(p.negative.At), w.Verdict.HalfLifeNegative))
	switch {
	case !v.ObservedAt.IsZero() && !v.Missing && now.Sub(v.ObservedAt) >= v.TTL:
		return kept - w.Verdict.Missing, stateMissing, []wire.Reason{reason.New(reason.PluginExpired, "plugin", p.name)}
	case v.Missing || v.ObservedAt.IsZero():
		reasons := v.Reasons
		if len(reasons) == 0 {
			reasons = []wire.Reason{reason.New(reason.PluginDown, "plugin", p.name)}
		}
		return kept - w.Verdict.Missing, stateMissing, reasons
	case v.Abstained:
		return kept, stateAbstained, v.Reasons
	}
	e := evidence(w, v, now)
	if e == 0 {
		return kept, stateAnswered, v.Reasons // no contrary evidence
	}
	return e, stateAnswered, v.Reasons
}

// evidence is e_i of a usable answer.
func evidence(w *Weights, v *wire.Verdict, now time.Time) float64 {
	llr := v.LLR
	if c, ok := w.Calibration[v.Plugin]; ok {
		llr = c.Scale*llr + c.Shift
	}
	if math.IsNaN(llr) || !(v.Confidence > 0) {
		return 0
	}
	e := min(v.Confidence, 1) * max(-w.Verdict.CapNegative, min(llr, w.Verdict.CapPositive))
	half := w.Verdict.HalfLifePositive
	if e < 0 {
		half = w.Verdict.HalfLifeNegative
	}
	return decay(e, now.Sub(v.ObservedAt), half)
}

// decay halves x every half. What lies in the future does not grow.
func decay(x float64, age, half time.Duration) float64 {
	return x * math.Exp2(-max(0, age.Seconds())/half.Seconds())
}

func signInNats(w *Weights, in *inputs) float64 {
	if in.signIn.At.IsZero() || in.signIn.At.After(in.now) {
		return 0
	}
	weight := 0.0
	switch {
	case in.signIn.AAL >= 3:
		weight = w.SignIn.AAL3
	case in.signIn.AAL == 2:
		weight = w.SignIn.AAL2
	}
	return decay(weight, in.now.Sub(in.signIn.At), w.SignIn.HalfLife)
}

// deviceNats counts a laptop that is proven and that nothing speaks against;
// gates, not the score, deal with the others.
func deviceNats(w *Weights, in *inputs) float64 {
	s := &in.standing
	v := s.Result.Vector
	usable := s.Standing == wire.StandingFresh || s.Standing == wire.StandingSilent
	tiers := [...]wire.Trustworthiness{v.InstanceIdentity, v.Hardware, v.Executables, v.Configuration}
	if !usable || v.InstanceIdentity != wire.Affirming || slices.Contains(tiers[:], wire.Contraindicated) ||
		s.Result.IssuedAt.IsZero() || s.Result.IssuedAt.After(in.now) || !in.now.Before(s.Result.ValidUntil) {
		return 0
	}
	return decay(w.Device.Affirming*w.Device.Provenance[in.provenance], in.now.Sub(s.Result.IssuedAt), w.Device.HalfLife)
}

// remember returns the plugin's alarm after this answer: a new negative
// replaces it, contrary evidence clears it, anything else keeps it.
func remember(w *Weights, old alarm, v wire.Verdict, now time.Time) alarm {
	if v.Missing || v.Abstained || v.ObservedAt.IsZero() {
		return old
	}
	switch e := evidence(w, &v, now); {
	case e < 0:
		return alarm{Nats: e, At: now}
	case e > 0:
		return alarm{}
	}
	return old
}

// score is 100·σ(L), rounded down.
func score(nats float64) int {
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
