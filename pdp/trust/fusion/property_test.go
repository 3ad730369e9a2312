package fusion

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

const worlds = 400

// word draws one verdict of a plugin from any that a host may pass on.
func word(r *rand.Rand, p *Plugin) wire.Verdict {
	v := said(p.Name, p.Cluster, r.NormFloat64()*4).Verdict
	v.Confidence = r.Float64()
	v.ObservedAt = at.Add(-time.Duration(r.IntN(7200)) * time.Second)
	v.TTL = time.Duration(1+r.IntN(10800)) * time.Second
	switch r.IntN(6) {
	case 0:
		v.Missing, v.LLR = true, 0
	case 1:
		v.Abstained, v.LLR = true, 0
	case 2:
		v.LLR = 0
	}
	return v
}

// world draws plugins in any state that hearing verdicts leads to.
func world(w *Weights, r *rand.Rand) []Plugin {
	all := Clusters()
	list := make([]Plugin, 1+r.IntN(9))
	for i := range list {
		list[i] = Plugin{Name: fmt.Sprintf("p%d", i), Cluster: all[r.IntN(len(all))]}
		for range r.IntN(5) {
			list[i] = list[i].Hear(w, word(r, &list[i]))
		}
	}
	return list
}

// weightSets are the shipped weights and others that are allowed: independent
// plugins, unequal clusters, calibrated plugins.
func weightSets(t testing.TB) []*Weights {
	loose, bent := *weights(t), *weights(t)
	loose.Clusters, bent.Clusters = map[wire.Cluster]ClusterWeight{}, map[wire.Cluster]ClusterWeight{}
	for i, g := range Clusters() {
		loose.Clusters[g] = ClusterWeight{Weight: 1}
		bent.Clusters[g] = ClusterWeight{Weight: float64(i) / 2, Correlation: float64(i) / 4}
	}
	bent.Calibration = map[string]Calibration{"p0": {Scale: 3, Shift: -2}, "p1": {Scale: 0.1, Shift: 5}}
	return []*Weights{weights(t), &loose, &bent}
}

func everyWorld(t *testing.T, seed uint64, check func(w *Weights, r *rand.Rand, list []Plugin)) {
	t.Helper()
	for _, w := range weightSets(t) {
		r := rand.New(rand.NewPCG(seed, seed))
		for range worlds {
			check(w, r, world(w, r))
		}
	}
}

func with(list []Plugin, i int, p Plugin) []Plugin {
	changed := append([]Plugin(nil), list...)
	changed[i] = p
	return changed
}

// quiet is a plugin that abstains and has no alarm standing.
func quiet(p Plugin) Plugin {
	return Plugin{Name: p.Name, Cluster: p.Cluster, Verdict: wire.Verdict{
		Plugin: p.Name, Cluster: p.Cluster, Abstained: true, ObservedAt: at, TTL: time.Hour,
	}}
}

func TestTheOrderOfPluginsChangesNothing(t *testing.T) {
	everyWorld(t, 1, func(w *Weights, r *rand.Rand, list []Plugin) {
		first := Fuse(w, base(list...))
		r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		if second := Fuse(w, base(list...)); !reflect.DeepEqual(first, second) {
			t.Fatalf("%+v\n%+v", first, second)
		}
	})
}

// A verdict that was held up on its way must not be lost for that, nor undo
// what is known by now.
func TestTheOrderOfArrivalChangesNothing(t *testing.T) {
	everyWorld(t, 2, func(w *Weights, r *rand.Rand, list []Plugin) {
		p := list[0]
		words := make([]wire.Verdict, 1+r.IntN(6))
		for i := range words {
			words[i] = word(r, &p)
			if i > 0 && r.IntN(4) == 0 {
				words[i].ObservedAt = words[i-1].ObservedAt
			}
			words[i].Reasons = []wire.Reason{{Code: []string{"ZT-TRU-003", "ZT-TRU-111", "ZT-TRU-131"}[r.IntN(3)]}}
		}
		hear := func() Plugin {
			heard := p
			for _, v := range words {
				heard = heard.Hear(w, v)
			}
			return heard
		}
		first := hear()
		r.Shuffle(len(words), func(i, j int) { words[i], words[j] = words[j], words[i] })
		second := hear()
		for _, quiet := range []string{"", "ZT-TRU-003"} {
			one, two := base(first), base(second)
			one.Muted, two.Muted = []string{quiet}, []string{quiet}
			if a, b := Fuse(w, one), Fuse(w, two); a.Nats != b.Nats || a.Coverage != b.Coverage {
				t.Fatalf("%v or %v of %+v", a.Nats, b.Nats, words)
			}
		}
	})
}

func TestNoAbsenceRaisesTheScore(t *testing.T) {
	absent := func(p Plugin) []wire.Verdict {
		missing := wire.Verdict{Plugin: p.Name, Cluster: p.Cluster, Missing: true, ObservedAt: at}
		expired := p.Verdict
		expired.ObservedAt, expired.TTL = at, 0
		abstains := quiet(p).Verdict
		unsure := p.Verdict
		unsure.Confidence, unsure.ObservedAt, unsure.TTL, unsure.Missing = 0, at, time.Hour, false
		return []wire.Verdict{missing, expired, abstains, unsure}
	}
	everyWorld(t, 3, func(w *Weights, r *rand.Rand, list []Plugin) {
		before := Fuse(w, base(list...))
		i := r.IntN(len(list))
		for n, v := range absent(list[i]) {
			if n >= 2 && state(w, list[i]) == Missing {
				continue // an answer of sorts is no absence
			}
			got := Fuse(w, base(with(list, i, list[i].Hear(w, v))...))
			if got.Nats > before.Nats+1e-9 || got.Coverage > before.Coverage {
				t.Fatalf("%+v: %.4f became %.4f, coverage %.2f became %.2f\n%+v", v, before.Nats, got.Nats, before.Coverage, got.Coverage, list[i])
			}
		}
		forgotten := list[i]
		forgotten.Verdict = wire.Verdict{} // a host that started anew
		if got := Fuse(w, base(with(list, i, forgotten)...)); got.Nats > before.Nats+1e-9 {
			t.Fatalf("never seen: %.4f became %.4f", before.Nats, got.Nats)
		}
	})
}

func state(w *Weights, p Plugin) string {
	_, state, _ := p.contribution(w, at, nil)
	return state
}

func TestLosingAGateNeverRaisesTheScore(t *testing.T) {
	everyWorld(t, 4, func(w *Weights, _ *rand.Rand, list []Plugin) {
		in := base(list...)
		before := Fuse(w, in).Nats
		for _, lose := range []func(*Inputs){
			func(in *Inputs) { in.SignIn = wire.SignIn{} },
			func(in *Inputs) { in.Standing = wire.DeviceStanding{} },
			func(in *Inputs) { in.Provenance = "" },
		} {
			after := in
			lose(&after)
			if got := Fuse(w, after).Nats; got > before+1e-9 {
				t.Fatalf("%.4f became %.4f", before, got)
			}
		}
	})
}

// Whatever a plugin says or does, over any history: its cluster's cap holds it.
func TestOnePluginStaysInsideItsClustersCap(t *testing.T) {
	wild := []float64{math.Inf(1), math.Inf(-1), math.NaN(), 1e300, -1e300, 0, 1, -1}
	sure := []float64{1, 1e9, math.NaN(), math.Inf(1), -1, 0.5}
	everyWorld(t, 5, func(w *Weights, r *rand.Rand, list []Plugin) {
		i := r.IntN(len(list))
		liar := list[i]
		for range 3 {
			v := word(r, &liar)
			v.LLR, v.Confidence = wild[r.IntN(len(wild))], sure[r.IntN(len(sure))]
			liar = liar.Hear(w, v)
		}
		lowest, highest := w.Cap(liar.Cluster)
		without := Fuse(w, base(with(list, i, quiet(liar))...)).Nats
		got := Fuse(w, base(with(list, i, liar)...)).Nats
		if math.IsNaN(got) || got > without+highest+1e-9 || got < without+lowest-1e-9 {
			t.Fatalf("%.3f became %.3f, allowed %+.1f to %+.1f: %+v", without, got, lowest, highest, liar)
		}
		if gates := Fuse(w, base()).Nats; got > gates+w.PluginsCap+1e-9 {
			t.Fatalf("%.3f is above P_max", got)
		}
	})
}

// However many neighbours a lone alarm has, silent, abstaining or content: it
// counts in full.
func TestALoneAlarmIsNotDiluted(t *testing.T) {
	everyWorld(t, 6, func(w *Weights, r *rand.Rand, list []Plugin) {
		alarm := said("z", Clusters()[r.IntN(5)], -4*r.Float64())
		alone := Fuse(w, base(alarm)).Nats
		for i := range list {
			if r.IntN(2) == 0 {
				list[i] = quiet(list[i])
			} else {
				list[i] = Plugin{Name: list[i].Name, Cluster: list[i].Cluster}
			}
		}
		if got := Fuse(w, base(append(list, alarm)...)).Nats; got > alone+1e-9 {
			t.Fatalf("alone %.3f, among the silent %.3f", alone, got)
		}
	})
}

// Agreement is discounted by how many are registered, not by how many answer.
func TestSilenceOfNeighboursDoesNotMakeAVoiceLouder(t *testing.T) {
	everyWorld(t, 7, func(w *Weights, r *rand.Rand, list []Plugin) {
		i := r.IntN(len(list))
		content := said(list[i].Name, list[i].Cluster, 0.001)
		answered := Fuse(w, base(with(list, i, content)...)).Nats
		silent := Fuse(w, base(with(list, i, quiet(content))...)).Nats
		if w.Calibration[content.Name].Shift >= 0 && silent > answered+1e-9 {
			t.Fatalf("with an answer %.4f, with silence %.4f", answered, silent)
		}
	})
}

// What an officer mutes is never better than silence, and touches no gate, no
// absence and no reason that was not named (requirements 31).
func TestAMutedAlarmIsNeverBetterThanSilence(t *testing.T) {
	everyWorld(t, 8, func(w *Weights, r *rand.Rand, list []Plugin) {
		codes := []string{"ZT-TRU-003", "ZT-TRU-001", "ZT-TRU-111"}
		for i := range list {
			v := word(r, &list[i])
			v.Reasons = []wire.Reason{{Code: codes[r.IntN(3)]}, {Code: codes[r.IntN(2)]}}[:1+r.IntN(2)]
			list[i] = list[i].Hear(w, v)
		}
		in := base(list...)
		before := Fuse(w, in)
		in.Muted = []string{codes[0], "p1/" + codes[1]}
		after := Fuse(w, in)
		silent := append([]Plugin(nil), list...)
		for i := range silent {
			if state(w, silent[i]) == Answered && Weigh(w, &silent[i].Verdict) < 0 || silent[i].Last.Nats < 0 && state(w, silent[i]) == Abstained {
				silent[i] = quiet(silent[i])
			}
			if silent[i].Last.Nats < 0 {
				silent[i].Last = Evidence{}
			}
		}
		if best := Fuse(w, base(silent...)).Nats; after.Nats > max(best, before.Nats)+1e-9 {
			t.Fatalf("muted %.4f, silent %.4f", after.Nats, best)
		}
		if after.Nats < before.Nats-1e-9 || after.Coverage > before.Coverage {
			t.Fatalf("muting lowered %.4f to %.4f or raised the coverage", before.Nats, after.Nats)
		}
		in.Muted = []string{"ZT-TRU-099", "p0", "ZT-TRU-030"}
		if got := Fuse(w, in).Nats; got != before.Nats {
			t.Fatalf("other reasons: %.4f became %.4f", before.Nats, got)
		}
	})
}

// FuzzFuse: the same inputs give the same bytes, whatever they are, in
// whatever order; and no sum leaves its bounds.
func FuzzFuse(f *testing.F) {
	f.Add(uint64(1), 2.0, 1.0, int64(60), int64(600), false, false)
	f.Add(uint64(2), -9.5, 0.5, int64(-60), int64(0), true, false)
	f.Add(uint64(3), math.Inf(1), math.NaN(), int64(math.MaxInt64), int64(-1), false, true)
	w := weights(f)
	f.Fuzz(func(t *testing.T, seed uint64, llr, confidence float64, age, ttl int64, missing, abstained bool) {
		r := rand.New(rand.NewPCG(seed, seed))
		list := world(w, r)
		p := list[0].Hear(w, wire.Verdict{
			Plugin: list[0].Name, Cluster: list[0].Cluster, LLR: llr, Confidence: confidence,
			ObservedAt: at.Add(-time.Duration(age)), TTL: time.Duration(ttl), Missing: missing, Abstained: abstained,
		})
		list[0] = p
		first := bytesOf(t, Fuse(w, base(list...)))
		r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		second := Fuse(w, base(list...))
		if string(first) != string(bytesOf(t, second)) {
			t.Fatalf("%s\n%s", first, bytesOf(t, second))
		}
		gates := Fuse(w, base()).Nats
		if second.Nats > gates+w.PluginsCap+1e-9 || second.Coverage < 0 || second.Coverage > 1 {
			t.Fatalf("%s", first)
		}
	})
}

func bytesOf(t *testing.T, r Result) []byte {
	t.Helper()
	raw, err := json.Marshal(r) // refuses what is not finite
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
