package fusion

import (
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

func said(name string, cluster wire.Cluster, llr float64) Plugin {
	return Plugin{Name: name, Cluster: cluster, Verdict: wire.Verdict{
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

func base(plugins ...Plugin) Inputs {
	return Inputs{
		Now: at, SignIn: wire.SignIn{At: at, AAL: 3}, Provenance: wire.ProvenanceTPM, Standing: freshStanding(), Plugins: plugins,
	}
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

func TestTheFormulaByHand(t *testing.T) {
	w := weights(t)
	tests := map[string]struct {
		in   Inputs
		want float64
	}{
		"nothing known":           {Inputs{Now: at}, -0.5},
		"gates alone":             {base(), -0.5 + 2 + 1},
		"a test key":              {func() Inputs { in := base(); in.SignIn.AAL = 2; return in }(), -0.5 + 1.5 + 1},
		"no strength proven":      {func() Inputs { in := base(); in.SignIn.AAL = 0; return in }(), -0.5 + 1},
		"sign-in of 4 h ago":      {func() Inputs { in := base(); in.SignIn.At = at.Add(-4 * time.Hour); return in }(), -0.5 + 1 + 1},
		"sign-in of the future":   {func() Inputs { in := base(); in.SignIn.At = at.Add(time.Minute); return in }(), -0.5 + 1},
		"evidence of 30 min ago":  {func() Inputs { in := base(); in.Standing.Result.IssuedAt = at.Add(-30 * time.Minute); return in }(), -0.5 + 2 + 0.5},
		"software keys":           {func() Inputs { in := base(); in.Provenance = wire.ProvenanceSoftware; return in }(), -0.5 + 2 + 0.25},
		"provenance unknown":      {func() Inputs { in := base(); in.Provenance = ""; return in }(), -0.5 + 2},
		"stale device":            {func() Inputs { in := base(); in.Standing.Standing = wire.StandingStale; return in }(), -0.5 + 2},
		"evidence ended":          {func() Inputs { in := base(); in.Standing.Result.ValidUntil = at; return in }(), -0.5 + 2},
		"contraindicated":         {func() Inputs { in := base(); in.Standing.Result.Vector.Executables = wire.Contraindicated; return in }(), -0.5 + 2},
		"one plugin for":          {base(said("a", wire.ClusterNetwork, 2)), 2.5 + 2},
		"one plugin against":      {base(said("a", wire.ClusterNetwork, -2)), 2.5 - 2},
		"cap above":               {base(said("a", wire.ClusterNetwork, 40)), 2.5 + 3},
		"cap below":               {base(said("a", wire.ClusterNetwork, -40)), 2.5 - 4},
		"two agree, correlated":   {base(said("a", wire.ClusterNetwork, 2), said("b", wire.ClusterNetwork, 1)), 2.5 + 3./2},
		"one for, one against":    {base(said("a", wire.ClusterNetwork, 2), said("b", wire.ClusterNetwork, -3)), 2.5 + 1 - 3},
		"P_max over clusters":     {base(said("a", wire.ClusterNetwork, 3), said("b", wire.ClusterDevice, 3)), 2.5 + 3},
		"clusters have weights":   {base(said("a", wire.ClusterTime, 1)), 2.5 + 0.8},
		"never answered":          {base(Plugin{Name: "a", Cluster: wire.ClusterNetwork}), 2.5 - 2},
		"missing after an alarm":  {base(Plugin{Name: "a", Cluster: wire.ClusterNetwork, Last: Evidence{Nats: -3, At: at}}), 2.5 - 3 - 2},
		"alarm decays over a day": {base(Plugin{Name: "a", Cluster: wire.ClusterNetwork, Last: Evidence{Nats: -3, At: at.Add(-24 * time.Hour)}}), 2.5 - 1.5 - 2},
		"expired":                 {base(func() Plugin { p := said("a", wire.ClusterNetwork, 3); p.Verdict.TTL = 0; return p }()), 2.5 - 2},
		"abstains":                {base(Plugin{Name: "a", Cluster: wire.ClusterNetwork, Verdict: wire.Verdict{Abstained: true, ObservedAt: at, TTL: time.Hour}}), 2.5},
		"abstains after an alarm": {base(Plugin{Name: "a", Cluster: wire.ClusterNetwork, Last: Evidence{Nats: -3, At: at}, Verdict: wire.Verdict{Abstained: true, ObservedAt: at, TTL: time.Hour}}), 2.5 - 3},
		"half confident":          {base(func() Plugin { p := said("a", wire.ClusterNetwork, 2); p.Verdict.Confidence = 0.5; return p }()), 2.5 + 1},
		"for, 15 min ago": {base(func() Plugin {
			p := said("a", wire.ClusterNetwork, 2)
			p.Verdict.ObservedAt = at.Add(-15 * time.Minute)
			return p
		}()), 2.5 + 1},
		"against, 24 h ago": {base(func() Plugin {
			p := said("a", wire.ClusterNetwork, -2)
			p.Verdict.ObservedAt = at.Add(-24 * time.Hour)
			p.Verdict.TTL = 48 * time.Hour
			return p
		}()), 2.5 - 1},
		"no confidence, no effect": {base(func() Plugin {
			p := said("a", wire.ClusterNetwork, 3)
			p.Verdict.Confidence = 0
			p.Last = Evidence{Nats: -1, At: at}
			return p
		}()), 2.5 - 1},
	}
	for name, tt := range tests {
		got := Fuse(w, tt.in)
		if !near(got.Nats, tt.want) {
			t.Errorf("%s: %.4f nats, want %.4f", name, got.Nats, tt.want)
		}
		sum := 0.0
		for _, term := range got.Terms {
			if term.State == Gate || term.State == OfCluster {
				sum += term.Nats
			}
		}
		if !near(sum, got.Nats) {
			t.Errorf("%s: the terms add up to %.4f, not %.4f", name, sum, got.Nats)
		}
	}
}

func TestCoverageCountsAnswers(t *testing.T) {
	w := weights(t)
	silent := Plugin{Name: "b", Cluster: wire.ClusterTime}
	shy := Plugin{Name: "c", Cluster: wire.ClusterTime, Verdict: wire.Verdict{Abstained: true, ObservedAt: at, TTL: time.Hour}}
	if c := Fuse(w, base(said("a", wire.ClusterNetwork, 1), silent, shy, said("d", wire.ClusterDevice, -1))).Coverage; c != 0.5 {
		t.Errorf("coverage %v", c)
	}
	if c := Fuse(w, base()).Coverage; c != 0 {
		t.Errorf("coverage of nobody %v", c)
	}
}

// A plugin that is next to never sure fills no coverage, for or against, and
// what it says against counts all the same.
func TestAnUnsureAnswerFillsNoCoverage(t *testing.T) {
	w := weights(t)
	for _, llr := range []float64{3, 0, -4} {
		unsure := said("a", wire.ClusterNetwork, llr)
		unsure.Verdict.Confidence = math.Nextafter(leastConfidence, 0)
		if c := Fuse(w, base(unsure)).Coverage; c != 0 {
			t.Errorf("llr %v: coverage %v", llr, c)
		}
		unsure.Verdict.Confidence = leastConfidence
		if c := Fuse(w, base(unsure)).Coverage; c != 1 {
			t.Errorf("llr %v: coverage %v", llr, c)
		}
	}
	unsure := said("a", wire.ClusterNetwork, -4)
	unsure.Verdict.Confidence = 0.01
	if got, silent := Fuse(w, base(unsure)).Nats, Fuse(w, base(said("a", wire.ClusterNetwork, 0))).Nats; !near(got, silent-0.04) {
		t.Errorf("%v, and %v of one who says nothing", got, silent)
	}
}

func TestContraryEvidenceClearsAnAlarm(t *testing.T) {
	w := weights(t)
	later := at.Add(time.Minute)
	verdict := func(llr float64, change func(*wire.Verdict)) wire.Verdict {
		v := said("a", wire.ClusterNetwork, llr).Verdict
		v.ObservedAt = later
		change(&v)
		return v
	}
	nothing := func(*wire.Verdict) {}
	old := Evidence{Nats: -3, At: at}
	for name, tt := range map[string]struct {
		v    wire.Verdict
		want Evidence
	}{
		"for":           {verdict(1, nothing), Evidence{Nats: 1, At: later}},
		"against":       {verdict(-1, nothing), Evidence{Nats: -1, At: later}},
		"nothing":       {verdict(0, nothing), old},
		"no confidence": {verdict(2, func(v *wire.Verdict) { v.Confidence = 0 }), old},
		"not a number":  {verdict(math.NaN(), nothing), old},
		"missing":       {verdict(2, func(v *wire.Verdict) { v.Missing = true }), old},
		"abstained":     {verdict(2, func(v *wire.Verdict) { v.Abstained = true }), old},
		"older, for":    {verdict(2, func(v *wire.Verdict) { v.ObservedAt = at.Add(-time.Hour) }), old},
		"that moment":   {verdict(2, func(v *wire.Verdict) { v.ObservedAt = at }), old},
	} {
		if got := Remember(w, old, tt.v); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
	if got := (Evidence{Nats: 1, At: later}).alarm(w, later); got != 0 {
		t.Errorf("evidence for counts %.2f as an alarm", got)
	}
}

func TestScore(t *testing.T) {
	for nats, want := range map[float64]int{0: 50, 2.5: 92, -2.5: 7, 100: 100, -100: 0, math.Inf(-1): 0} {
		if got := Score(nats); got != want {
			t.Errorf("Score(%v) = %d, want %d", nats, got, want)
		}
	}
	if Score(math.NaN()) != 0 {
		t.Error("NaN scores")
	}
}

func TestTheScoreFallsAtOnceAndRisesSlowly(t *testing.T) {
	w := weights(t)
	var r Rising
	signIn := at
	step := func(after time.Duration, nats, want float64) {
		t.Helper()
		if got := r.Publish(w, nats, signIn, at.Add(after)); !near(got, want) {
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
		Fuse(w, in)
	}
}

// TestAMutedAlarmHidesNoOther: what an officer found harmless must not carry
// off what nobody looked at (requirements 31).
func TestAMutedAlarmHidesNoOther(t *testing.T) {
	w := weights(t)
	type heard struct {
		code string
		nats float64
	}
	for name, c := range map[string]struct {
		heard       []heard
		plain, safe float64 // nats without the muting of 003, and with it
	}{
		"alone":                      {[]heard{{"ZT-TRU-003", -3}}, -3, 0},
		"after another":              {[]heard{{"ZT-TRU-111", -1}, {"ZT-TRU-003", -3}}, -3, -1},
		"after a worse one":          {[]heard{{"ZT-TRU-111", -3}, {"ZT-TRU-003", -1}}, -1, -1},
		"before another":             {[]heard{{"ZT-TRU-003", -3}, {"ZT-TRU-111", -1}}, -1, -1},
		"after contrary evidence":    {[]heard{{"ZT-TRU-111", -1}, {"ZT-TRU-001", 1}, {"ZT-TRU-003", -3}}, -3, 0},
		"after several, the newest":  {[]heard{{"ZT-TRU-111", -2}, {"ZT-TRU-131", -1}, {"ZT-TRU-003", -3}}, -3, -1},
		"after the same, said again": {[]heard{{"ZT-TRU-111", -2}, {"ZT-TRU-111", -1}, {"ZT-TRU-003", -3}}, -3, -1},
	} {
		p := Plugin{Name: "a", Cluster: wire.ClusterNetwork}
		for i, h := range c.heard {
			v := said("a", wire.ClusterNetwork, h.nats).Verdict
			v.ObservedAt, v.Reasons = at.Add(time.Duration(i)), []wire.Reason{{Code: h.code}}
			p = p.Hear(w, v)
		}
		for quiet, want := range map[string]float64{"": c.plain, "ZT-TRU-003": c.safe} {
			in := base(p)
			in.Muted = []string{quiet}
			if got := Fuse(w, in).Nats - 2.5; !near(got, want) {
				t.Errorf("%s, muted %q: %.4f, want %.4f", name, quiet, got, want)
			}
		}
	}
}
