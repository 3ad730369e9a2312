package trust

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

var at = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

func weights(t testing.TB) *Weights {
	t.Helper()
	w, err := DefaultWeights()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func said(name string, cluster wire.Cluster, llr float64) plugin {
	return plugin{name: name, cluster: cluster, verdict: wire.Verdict{
		Plugin: name, Cluster: cluster, LLR: llr, Confidence: 1, ObservedAt: at, TTL: time.Hour,
	}}
}

func freshStanding() wire.DeviceStanding {
	return wire.DeviceStanding{
		DeviceID: "dev-1", Standing: wire.StandingFresh,
		Result: wire.AttestationResult{
			IssuedAt: at, ValidUntil: at.Add(time.Hour),
			Vector: wire.TrustVector{InstanceIdentity: wire.Affirming},
		},
	}
}

func base(plugins ...plugin) inputs {
	return inputs{
		now: at, signIn: wire.SignIn{At: at, AAL: 3}, provenance: wire.ProvenanceTPM, standing: freshStanding(), plugins: plugins,
	}
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

func TestTheFormulaByHand(t *testing.T) {
	w := weights(t)
	tests := map[string]struct {
		in   inputs
		want float64
	}{
		"nothing known":           {inputs{now: at}, -0.5},
		"gates alone":             {base(), -0.5 + 2 + 1},
		"a test key":              {func() inputs { in := base(); in.signIn.AAL = 2; return in }(), -0.5 + 1.5 + 1},
		"no strength proven":      {func() inputs { in := base(); in.signIn.AAL = 0; return in }(), -0.5 + 1},
		"sign-in of 4 h ago":      {func() inputs { in := base(); in.signIn.At = at.Add(-4 * time.Hour); return in }(), -0.5 + 1 + 1},
		"sign-in of the future":   {func() inputs { in := base(); in.signIn.At = at.Add(time.Minute); return in }(), -0.5 + 1},
		"evidence of 30 min ago":  {func() inputs { in := base(); in.standing.Result.IssuedAt = at.Add(-30 * time.Minute); return in }(), -0.5 + 2 + 0.5},
		"software keys":           {func() inputs { in := base(); in.provenance = wire.ProvenanceSoftware; return in }(), -0.5 + 2 + 0.25},
		"provenance unknown":      {func() inputs { in := base(); in.provenance = ""; return in }(), -0.5 + 2},
		"stale device":            {func() inputs { in := base(); in.standing.Standing = wire.StandingStale; return in }(), -0.5 + 2},
		"evidence ended":          {func() inputs { in := base(); in.standing.Result.ValidUntil = at; return in }(), -0.5 + 2},
		"contraindicated":         {func() inputs { in := base(); in.standing.Result.Vector.Executables = wire.Contraindicated; return in }(), -0.5 + 2},
		"one plugin for":          {base(said("a", wire.ClusterNetwork, 2)), 2.5 + 2},
		"one plugin against":      {base(said("a", wire.ClusterNetwork, -2)), 2.5 - 2},
		"cap above":               {base(said("a", wire.ClusterNetwork, 40)), 2.5 + 3},
		"cap below":               {base(said("a", wire.ClusterNetwork, -40)), 2.5 - 4},
		"two agree, correlated":   {base(said("a", wire.ClusterNetwork, 2), said("b", wire.ClusterNetwork, 1)), 2.5 + 3./2},
		"one for, one against":    {base(said("a", wire.ClusterNetwork, 2), said("b", wire.ClusterNetwork, -3)), 2.5 + 1 - 3},
		"P_max over clusters":     {base(said("a", wire.ClusterNetwork, 3), said("b", wire.ClusterDevice, 3)), 2.5 + 3},
		"clusters have weights":   {base(said("a", wire.ClusterTime, 1)), 2.5 + 0.8},
		"never answered":          {base(plugin{name: "a", cluster: wire.ClusterNetwork}), 2.5 - 2},
		"missing after an alarm":  {base(plugin{name: "a", cluster: wire.ClusterNetwork, negative: alarm{-3, at}}), 2.5 - 3 - 2},
		"alarm decays over a day": {base(plugin{name: "a", cluster: wire.ClusterNetwork, negative: alarm{-3, at.Add(-24 * time.Hour)}}), 2.5 - 1.5 - 2},
		"expired":                 {base(func() plugin { p := said("a", wire.ClusterNetwork, 3); p.verdict.TTL = 0; return p }()), 2.5 - 2},
		"abstains":                {base(plugin{name: "a", cluster: wire.ClusterNetwork, verdict: wire.Verdict{Abstained: true, ObservedAt: at, TTL: time.Hour}}), 2.5},
		"abstains after an alarm": {base(plugin{name: "a", cluster: wire.ClusterNetwork, negative: alarm{-3, at}, verdict: wire.Verdict{Abstained: true, ObservedAt: at, TTL: time.Hour}}), 2.5 - 3},
		"half confident":          {base(func() plugin { p := said("a", wire.ClusterNetwork, 2); p.verdict.Confidence = 0.5; return p }()), 2.5 + 1},
		"for, 15 min ago": {base(func() plugin {
			p := said("a", wire.ClusterNetwork, 2)
			p.verdict.ObservedAt = at.Add(-15 * time.Minute)
			return p
		}()), 2.5 + 1},
		"against, 24 h ago": {base(func() plugin {
			p := said("a", wire.ClusterNetwork, -2)
			p.verdict.ObservedAt = at.Add(-24 * time.Hour)
			p.verdict.TTL = 48 * time.Hour
			return p
		}()), 2.5 - 1},
		"no confidence, no effect": {base(func() plugin {
			p := said("a", wire.ClusterNetwork, 3)
			p.verdict.Confidence = 0
			p.negative = alarm{-1, at}
			return p
		}()), 2.5 - 1},
	}
	for name, tt := range tests {
		got := fuse(w, tt.in)
		if !near(got.nats, tt.want) {
			t.Errorf("%s: %.4f nats, want %.4f", name, got.nats, tt.want)
		}
		sum := 0.0
		for _, term := range got.terms {
			if term.State == stateGate || term.State == stateCluster {
				sum += term.Nats
			}
		}
		if !near(sum, got.nats) {
			t.Errorf("%s: the terms add up to %.4f, not %.4f", name, sum, got.nats)
		}
	}
}

func TestCoverageCountsAnswers(t *testing.T) {
	w := weights(t)
	silent := plugin{name: "b", cluster: wire.ClusterTime}
	shy := plugin{name: "c", cluster: wire.ClusterTime, verdict: wire.Verdict{Abstained: true, ObservedAt: at, TTL: time.Hour}}
	if c := fuse(w, base(said("a", wire.ClusterNetwork, 1), silent, shy, said("d", wire.ClusterDevice, -1))).coverage; c != 0.5 {
		t.Errorf("coverage %v", c)
	}
	if c := fuse(w, base()).coverage; c != 0 {
		t.Errorf("coverage of nobody %v", c)
	}
}

// world draws plugins in any state that hearing verdicts can lead to.
func world(w *Weights, r *rand.Rand) []plugin {
	all := clusters()
	list := make([]plugin, 1+r.IntN(8))
	for i := range list {
		p := said(fmt.Sprintf("p%d", i), all[r.IntN(len(all))], r.NormFloat64()*4)
		p.verdict.Confidence = r.Float64()
		p.verdict.ObservedAt = at.Add(-time.Duration(r.IntN(3600)) * time.Second)
		p.verdict.TTL = time.Duration(1+r.IntN(7200)) * time.Second
		if r.IntN(3) == 0 {
			p.negative = alarm{-4 * r.Float64(), at.Add(-time.Duration(r.IntN(100000)) * time.Second)}
		}
		switch r.IntN(5) {
		case 0:
			p.verdict.Missing, p.verdict.LLR = true, 0
		case 1:
			p.verdict.Abstained, p.verdict.LLR = true, 0
		}
		p.negative = remember(w, p.negative, p.verdict, p.verdict.ObservedAt)
		list[i] = p
	}
	return list
}

func TestTheOrderOfPluginsChangesNothing(t *testing.T) {
	w, r := weights(t), rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		list := world(w, r)
		first := fuse(w, base(list...))
		r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		if second := fuse(w, base(list...)); !reflect.DeepEqual(first, second) {
			t.Fatalf("%+v\n%+v", first, second)
		}
	}
}

func TestNoAbsenceRaisesTheScore(t *testing.T) {
	w, r := weights(t), rand.New(rand.NewPCG(3, 4))
	ways := map[string]func(*plugin){
		"missing": func(p *plugin) {
			p.verdict = wire.Verdict{Plugin: p.name, Cluster: p.cluster, Missing: true, ObservedAt: at}
		},
		"never seen": func(p *plugin) { p.verdict = wire.Verdict{} },
		"expired":    func(p *plugin) { p.verdict.TTL = 0 },
		"abstaining": func(p *plugin) {
			if p.verdict.Missing || p.verdict.ObservedAt.IsZero() || at.Sub(p.verdict.ObservedAt) >= p.verdict.TTL {
				return // an answer of sorts is no absence
			}
			p.verdict.Abstained, p.verdict.LLR = true, 0
		},
	}
	for range 2000 {
		list := world(w, r)
		before := fuse(w, base(list...))
		i := r.IntN(len(list))
		for name, lose := range ways {
			after := append([]plugin(nil), list...)
			p := &after[i]
			lose(p)
			got := fuse(w, base(after...))
			if got.nats > before.nats+1e-9 || got.coverage > before.coverage {
				t.Fatalf("%s: %.4f became %.4f, coverage %.2f became %.2f\n%+v", name, before.nats, got.nats, before.coverage, got.coverage, list[i])
			}
		}
	}
}

func TestLosingAGateNeverRaisesTheScore(t *testing.T) {
	w, r := weights(t), rand.New(rand.NewPCG(5, 6))
	for range 500 {
		in := base(world(w, r)...)
		before := fuse(w, in).nats
		for _, lose := range []func(*inputs){
			func(in *inputs) { in.signIn = wire.SignIn{} },
			func(in *inputs) { in.standing = wire.DeviceStanding{} },
			func(in *inputs) { in.provenance = "" },
		} {
			after := in
			lose(&after)
			if got := fuse(w, after).nats; got > before+1e-9 {
				t.Fatalf("%.4f became %.4f", before, got)
			}
		}
	}
}

func TestOnePluginStaysInsideItsCaps(t *testing.T) {
	w, r := weights(t), rand.New(rand.NewPCG(7, 8))
	wild := []float64{math.Inf(1), math.Inf(-1), math.NaN(), 1e300, -1e300, 0}
	for range 2000 {
		list := world(w, r)
		without := fuse(w, base(list...)).nats
		p := said("liar", wire.ClusterNetwork, wild[r.IntN(len(wild))])
		p.verdict.Confidence = []float64{1, 1e9, math.NaN()}[r.IntN(3)]
		got := fuse(w, base(append(list, p)...)).nats
		// A further plugin also discounts its neighbours' agreement.
		if math.IsNaN(got) || got > without+w.Verdict.CapPositive+1e-9 {
			t.Fatalf("%.3f became %.3f with %+v", without, got, p.verdict)
		}
		gates := fuse(w, base()).nats
		if got > gates+w.PluginsCap+1e-9 {
			t.Fatalf("%.3f is above P_max", got)
		}
		alone := fuse(w, base(p)).nats
		if alone < gates-w.Verdict.CapNegative-1e-9 {
			t.Fatalf("one plugin took %.3f", gates-alone)
		}
	}
}

func TestALoneAlarmIsNotDiluted(t *testing.T) {
	w := weights(t)
	alone := fuse(w, base(said("a", wire.ClusterNetwork, -3))).nats
	neighbours := []plugin{said("a", wire.ClusterNetwork, -3)}
	for i := range 7 {
		neighbours = append(neighbours, plugin{
			name: fmt.Sprint("silent", i), cluster: wire.ClusterNetwork,
			verdict: wire.Verdict{Abstained: true, ObservedAt: at, TTL: time.Hour},
		})
	}
	if got := fuse(w, base(neighbours...)).nats; got > alone+1e-9 {
		t.Errorf("alone %.3f, among the silent %.3f", alone, got)
	}
}

// Agreement is discounted by how many are registered, not by how many answer.
func TestSilenceOfNeighboursDoesNotMakeAVoiceLouder(t *testing.T) {
	w := weights(t)
	both := fuse(w, base(said("a", wire.ClusterNetwork, 2), said("b", wire.ClusterNetwork, 0.001))).nats
	one := fuse(w, base(said("a", wire.ClusterNetwork, 2), plugin{
		name: "b", cluster: wire.ClusterNetwork, verdict: wire.Verdict{Abstained: true, ObservedAt: at, TTL: time.Hour},
	})).nats
	if one > both {
		t.Errorf("with an answer %.4f, with silence %.4f", both, one)
	}
}

func TestContraryEvidenceClearsAnAlarm(t *testing.T) {
	w := weights(t)
	verdict := func(llr float64, change func(*wire.Verdict)) wire.Verdict {
		v := said("a", wire.ClusterNetwork, llr).verdict
		change(&v)
		return v
	}
	nothing := func(*wire.Verdict) {}
	old := alarm{-3, at.Add(-time.Minute)}
	for name, tt := range map[string]struct {
		v    wire.Verdict
		want alarm
	}{
		"for":           {verdict(1, nothing), alarm{}},
		"against":       {verdict(-1, nothing), alarm{-1, at}},
		"nothing":       {verdict(0, nothing), old},
		"no confidence": {verdict(2, func(v *wire.Verdict) { v.Confidence = 0 }), old},
		"missing":       {verdict(0, func(v *wire.Verdict) { v.Missing = true }), old},
		"abstained":     {verdict(0, func(v *wire.Verdict) { v.Abstained = true }), old},
	} {
		if got := remember(w, old, tt.v, at); got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}

func TestScore(t *testing.T) {
	for nats, want := range map[float64]int{0: 50, 2.5: 92, -2.5: 7, 100: 100, -100: 0, math.Inf(-1): 0} {
		if got := score(nats); got != want {
			t.Errorf("score(%v) = %d, want %d", nats, got, want)
		}
	}
	if score(math.NaN()) != 0 {
		t.Error("NaN scores")
	}
}

func TestTheScoreFallsAtOnceAndRisesSlowly(t *testing.T) {
	w := weights(t)
	var r rising
	signIn := at
	step := func(after time.Duration, nats, want float64) {
		t.Helper()
		if got := r.publish(w, nats, signIn, at.Add(after)); !near(got, want) {
			t.Errorf("after %v: published %.2f of %.2f, want %.2f", after, got, nats, want)
		}
	}
	step(0, 2, 2)
	step(1*time.Second, -1, -1)    // falls at once
	step(2*time.Second, 3, -1)     // better, but only now
	step(40*time.Second, 2.5, -1)  // for 38 s
	step(61*time.Second, 3, -1)    // for 59 s
	step(62*time.Second, 3, 2.5)   // 60 s: the lowest of that time
	step(63*time.Second, 2.6, 2.5) // within the margin
	step(200*time.Second, 2.6, 2.5)
	step(201*time.Second, 3, 2.5)
	step(230*time.Second, 2.55, 2.5) // the margin was lost
	step(262*time.Second, 3, 2.5)    // so the time starts anew
	step(300*time.Second, 0, 0)
	signIn = at.Add(301 * time.Second)
	step(301*time.Second, 2, 2) // a fresh sign-in
}

func TestRefusedWeights(t *testing.T) {
	good := string(weightsText)
	for name, change := range map[string][2]string{
		"unknown key":        {"base: -0.5", "bias: -0.5"},
		"negative weight":    {"network: {weight: 1.0", "network: {weight: -1.0"},
		"negative cap":       {"cap_negative: 4.0", "cap_negative: -4.0"},
		"negative kappa":     {"missing: 2.0", "missing: -2.0"},
		"missing cluster":    {"  posture: {weight: 1.0, correlation: 1.0}\n", ""},
		"unknown cluster":    {"posture:", "weather:"},
		"correlation of two": {"network: {weight: 1.0, correlation: 1.0}", "network: {weight: 1.0, correlation: 2.0}"},
		"test key stronger":  {"aal2: 1.5", "aal2: 2.5"},
		"endless life":       {"half_life: 4h", "half_life: 9999h"},
		"no life":            {"half_life: 4h", "half_life: 0s"},
		"not a number":       {"base: -0.5", "base: .nan"},
		"no version":         {"version: \"1\"", "version: \"\""},
		"wild provenance":    {"software: 0.25", "software: 25"},
		"turned calibration": {"calibration: {}", "calibration: {a: {scale: -1, shift: 0}}"},
	} {
		text := strings.Replace(good, change[0], change[1], 1)
		if text == good {
			t.Errorf("%s: nothing changed", name)
		}
		if _, err := ParseWeights("w.yaml", []byte(text)); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	w := weights(t)
	changed, err := ParseWeights("w.yaml", append([]byte("# x\n"), weightsText...))
	if err != nil || changed.Name() == w.Name() {
		t.Errorf("the name %q does not cover the bytes: %v", w.Name(), err)
	}
}

func BenchmarkFuse(b *testing.B) {
	w := weights(b)
	in := base(world(w, rand.New(rand.NewPCG(9, 9)))...)
	for b.Loop() {
		fuse(w, in)
	}
}
