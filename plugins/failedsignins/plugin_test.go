package main

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/plugins/contract"
)

var morning = time.Date(2026, 11, 2, 1, 0, 0, 0, time.UTC)

func signIn(person, network string, at time.Time) contract.Observation {
	return contract.Observation{Kind: contract.KindSignIn, Person: person, Network: network, At: at}
}

func failure(person, network string, at time.Time) contract.Observation {
	o := signIn(person, network, at)
	o.Kind = contract.KindFailedSignIn
	return o
}

func teach(t testing.TB, f *failedSignIns, all ...contract.Observation) int {
	t.Helper()
	learned, err := f.Observe(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	return learned
}

func assess(t testing.TB, f *failedSignIns, person, network string, at time.Time) contract.Verdict {
	t.Helper()
	v, err := f.Assess(t.Context(), contract.Observation{Person: person, Network: network, At: at})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

const (
	office = "192.0.2.0"
	away   = "203.0.113.0"
)

// month teaches thirty sign-ins that ended well, a day each, until morning.
func month(t testing.TB, f *failedSignIns, person string) {
	t.Helper()
	for n := range 30 {
		teach(t, f, signIn(person, office, morning.AddDate(0, 0, n-30)))
	}
}

func TestTheMoreFailuresTheWorse(t *testing.T) {
	f := newPlugin()
	month(t, f, "p")
	last := 0.0
	for n := range 20 {
		at := morning.Add(time.Duration(n) * 10 * time.Second)
		v := assess(t, f, "p", office, at)
		switch {
		case v.Abstained || v.LLR > last || v.LLR < -limit:
			t.Errorf("after %d failures: %+v, before %.2f", n, v, last)
		case n == 0 && (v.LLR != 0 || v.Reasons[0].Code != reasonQuiet):
			t.Errorf("without failures: %+v", v)
		case n == 1 && (v.LLR < -1.8 || v.LLR > -1):
			t.Errorf("after one failure: %+v", v)
		case n > 0 && (v.Reasons[0].Code != reasonAccount || v.Confidence != against):
			t.Errorf("after %d failures: %+v", n, v)
		}
		last = v.LLR
		teach(t, f, failure("p", away, at))
	}
	if last != -limit {
		t.Errorf("after 19 failures %.2f", last)
	}
	if v := assess(t, f, "p", office, morning.Add(26*time.Hour)); v.LLR != 0 {
		t.Errorf("the day after: %+v", v)
	}
}

func TestSlowFailuresAreCountedOverHours(t *testing.T) {
	f := newPlugin()
	month(t, f, "p")
	at := morning
	for range 16 { // one every 20 minutes: never more than two in ten minutes
		teach(t, f, failure("p", away, at))
		at = at.Add(20 * time.Minute)
	}
	if v := assess(t, f, "p", office, at); v.LLR >= -0.5 || v.Reasons[0].Args["failures"] == "" {
		t.Errorf("%+v", v)
	}
}

func TestTheFormulaByHand(t *testing.T) {
	f := newPlugin()
	teach(t, f, signIn("p", office, morning.Add(-baseHalfLife)))
	for n := range 6 {
		teach(t, f, failure("p", away, morning.Add(time.Duration(n)))) // at once, as good as
	}
	// After ten minutes 3 of the 6 are left: μ = (1 + 6 − 3)/(10 + ½) = 0.381,
	// c!·Γ(k) and Γ(c+k) written out as products: (k)(k+1)(k+2)/3!.
	mu := 4.0 / 10.5
	person := mu * (mu + 1) * (mu + 2) / 6 * math.Exp2(-mu) / 8
	impostor := 0.5 * 1.5 * 2.5 / 6 * math.Sqrt(1.0/3) * 8 / 27
	// Over hours 6·2^(−1/36) are left, and u = 4: that says less.
	c := 6 * math.Exp2(-1.0/36)
	slow := math.Ln2 - (c*math.Log(c/4) - (c - 4))
	want := min(math.Log(person/impostor), slow)
	var worst float64
	f.accounts.Look("p", morning, func(a *account) { worst, _ = a.worst(morning.Add(10 * time.Minute)) })
	if math.Abs(worst-want) > 1e-3 {
		t.Errorf("by hand %.6f, got %.6f", want, worst)
	}
	f.accounts.Look("p", morning, func(a *account) {
		if want := 30 * 24 * 3600 / math.Ln2 / 2; math.Abs(a.Seconds-want) > 1 || math.Abs(a.Failures-6) > 1e-6 {
			t.Errorf("6 failures over %.0f s by hand, kept %+v", want, a)
		}
	})
	if score(0.5, 0.2) != 0 || score(-0.5, 0.2) != -0.5 || score(-9, 0) != -limit {
		t.Error("the lowest counts, between -limit and 0")
	}
}

func TestWhoFailsOftenIsAllowedMoreAndNotAnyAmount(t *testing.T) {
	seldom, often, always := newPlugin(), newPlugin(), newPlugin()
	for n := range 60 * 24 { // two months, by hours
		at := morning.Add(time.Duration(n-60*24) * time.Hour)
		for f, every := range map[*failedSignIns]int{seldom: 24 * 7, often: 2, always: 1} {
			teach(t, f, signIn("p", office, at))
			if n%every == 0 && n < 60*24-48 { // none in the last two days
				teach(t, f, failure("p", office, at.Add(time.Minute)))
			}
		}
	}
	llr := map[*failedSignIns]float64{}
	for _, f := range []*failedSignIns{seldom, often, always} {
		for n := range 8 {
			teach(t, f, failure("p", away, morning.Add(time.Duration(n)*30*time.Minute)))
		}
		llr[f] = assess(t, f, "p", office, morning.Add(4*time.Hour)).LLR
		for n := range 40 {
			teach(t, f, failure("p", away, morning.Add(5*time.Hour+time.Duration(n)*time.Second)))
		}
		if v := assess(t, f, "p", office, morning.Add(5*time.Hour+time.Minute)); v.LLR != -limit {
			t.Errorf("48 failures: %+v", v)
		}
	}
	if llr[seldom] > llr[often] || llr[often] > llr[always] || llr[seldom] == llr[always] && llr[seldom] != 0 {
		t.Errorf("seldom %.2f, often %.2f, always %.2f", llr[seldom], llr[often], llr[always])
	}
}

func TestFailingOnPurposeMakesFailingUsualOnlySoFar(t *testing.T) {
	if some, many := inARow(3, 20, 10), inARow(3, 1e6, 10); some != many || many >= 0 {
		t.Errorf("three in a row after twenty failures %.3f, after a million %.3f", some, many)
	}
	if got := overHours(1e6, 0); got != most*floor {
		t.Errorf("over hours %.1f are usual", got)
	}
}

func TestManyAccountsFromOneNetwork(t *testing.T) {
	f := newPlugin()
	month(t, f, "p")
	for n := range 12 { // one try at each of twelve accounts
		teach(t, f, failure(fmt.Sprint("victim", n), away, morning.Add(time.Duration(n)*time.Second)))
	}
	at := morning.Add(time.Minute)
	spray, elsewhere := assess(t, f, "p", away, at), assess(t, f, "p", office, at)
	if spray.LLR >= -1 || spray.Reasons[0].Code != reasonNetwork || elsewhere.LLR != 0 {
		t.Errorf("from there %+v, from elsewhere %+v", spray, elsewhere)
	}
	if v := assess(t, f, "stranger", away, at); v.Abstained || v.LLR != spray.LLR {
		t.Errorf("somebody who is not known, from there: %+v", v)
	}
	if v := assess(t, f, "p", away, morning.Add(2*epoch-time.Minute)); v.LLR >= -1 {
		t.Errorf("within the hour: %+v", v)
	}
	if v := assess(t, f, "p", away, morning.Add(2*epoch)); v.LLR != 0 {
		t.Errorf("an hour later: %+v", v)
	}
	// The same account twelve times is no spray.
	one := newPlugin()
	for n := range 12 {
		teach(t, one, failure("victim", away, morning.Add(time.Duration(n)*time.Second)))
	}
	if v := assess(t, one, "p", away, at); v.LLR != 0 {
		t.Errorf("one account alone: %+v", v)
	}
	// In an office where two hundred sign in, twelve fail on a usual morning.
	busy := newPlugin()
	for n := range 200 {
		teach(t, busy, signIn(fmt.Sprint("colleague", n), office, morning.Add(time.Duration(n)*time.Second)))
		if n%17 == 0 {
			teach(t, busy, failure(fmt.Sprint("colleague", n), office, morning.Add(time.Duration(n)*time.Second)))
		}
	}
	if v := assess(t, busy, "colleague1", office, morning.Add(5*time.Minute)); v.LLR != 0 {
		t.Errorf("a busy office: %+v", v)
	}
}

func TestASketchCountsAccounts(t *testing.T) {
	var s sketch
	for n := range 40 {
		for range 3 {
			s.add(fmt.Sprint("account", n))
		}
	}
	if got := s.count(); got < 28 || got > 52 {
		t.Errorf("40 accounts count as %.1f", got)
	}
	if sketch(0).count() != 0 || math.Abs(sketch(1).count()+64*math.Log(63.0/64)) > 1e-12 || math.IsInf(sketch(math.MaxUint64).count(), 0) {
		t.Error("none, one or all bits")
	}
}

func TestANetworkForgets(t *testing.T) {
	var n network
	n.learn("a", morning, true)
	n.learn("b", morning.Add(epoch), true)
	n.learn("c", morning, true) // late, of the epoch before
	n.learn("d", morning.Add(-epoch), true)
	if n.Failed[0].count() > 1.1 || n.Failed[1].count() < 1.9 {
		t.Errorf("%+v", n)
	}
	n.forward(morning.Add(5 * epoch))
	if n.Failed != [2]sketch{} {
		t.Errorf("%+v", n)
	}
	n.learn("e", time.Unix(-1<<40, 0), true)
	if n.Failed != [2]sketch{} {
		t.Errorf("before 1970: %+v", n)
	}
}

func TestNobodyIsKnownByFailures(t *testing.T) {
	f := newPlugin()
	teach(t, f, failure("p", away, morning))
	later := morning.Add(time.Hour)
	if v := assess(t, f, "p", office, later); !v.Abstained || v.LLR != 0 || v.Reasons[0].Code != reasonNoHistory {
		t.Errorf("%+v", v)
	}
	teach(t, f, signIn("p", office, morning))
	if v := assess(t, f, "p", office, later); v.Abstained || v.LLR != 0 || math.Abs(v.Confidence-0.25) > 1e-3 {
		t.Errorf("%+v", v)
	}
	if v := assess(t, f, "p", office, morning); v.Abstained || v.LLR >= 0 || v.Confidence != against {
		t.Errorf("%+v", v)
	}
}

func TestWhatDoesNotTeach(t *testing.T) {
	f := newPlugin()
	one, well := failure("p", away, morning), signIn("p", office, morning)
	activity := well
	activity.Kind, activity.At = contract.KindActivity, morning.Add(time.Hour)
	if learned := teach(t, f, one, one, well, well, failure("p", away, morning.Add(-time.Hour)), activity); learned != 2 {
		t.Errorf("learned %d", learned)
	}
}

func TestAnOfficersWordEndsIt(t *testing.T) {
	f := newPlugin()
	month(t, f, "p")
	for n := range 10 {
		teach(t, f, failure("p", away, morning.Add(time.Duration(n)*time.Second)))
	}
	at := morning.Add(time.Minute)
	for _, genuine := range []bool{false, true} {
		if err := f.Learn(t.Context(), contract.Feedback{Observation: signIn("p", office, at), Genuine: genuine}); err != nil {
			t.Fatal(err)
		}
		if v := assess(t, f, "p", office, at); (v.LLR == 0) != genuine {
			t.Errorf("genuine %v: %+v", genuine, v)
		}
	}
}

func TestStateIsHandedOverWhole(t *testing.T) {
	f := newPlugin()
	month(t, f, "p")
	for n := range 12 {
		teach(t, f, failure(fmt.Sprint("victim", n%6), away, morning.Add(time.Duration(n)*time.Second)))
	}
	var state, again bytes.Buffer
	if err := f.Export(&state); err != nil {
		t.Fatal(err)
	}
	text := state.String()
	young := newPlugin()
	if err := young.Import(&state); err != nil {
		t.Fatal(err)
	}
	if err := young.Export(&again); err != nil || again.String() != text {
		t.Errorf("a state changed by being handed over: %v", err)
	}
	people, networks, _ := strings.Cut(text, border)
	for name, broken := range map[string]string{
		"no border": people + networks, "half an account": people[:len(people)-9] + border + networks,
		"half a network": people + border + networks[:len(networks)-9], "nothing": "",
	} {
		if err := young.Import(strings.NewReader(broken)); err == nil {
			t.Errorf("%s was taken", name)
		}
		again.Reset()
		if err := young.Export(&again); err != nil || again.String() != text {
			t.Errorf("%s changed the state", name)
		}
	}
	young.Forget("victim1")
	again.Reset()
	if err := young.Export(&again); err != nil || strings.Contains(again.String(), "victim1") {
		t.Errorf("forgotten, and still in the state: %v", err)
	}
}

func TestBoundsHold(t *testing.T) {
	f := newPlugin()
	teach(t, f, signIn("p", office, morning))
	for n := range maxPeople {
		teach(t, f, failure(fmt.Sprint(n), fmt.Sprintf("10.%d.%d.0", n>>8, n&255), morning))
	}
	if f.accounts.Len() != maxPeople || f.networks.Len() != maxNetworks {
		t.Errorf("%d people, %d networks", f.accounts.Len(), f.networks.Len())
	}
	wild := `{"person":"p","taught":"2026-11-02T01:00:00Z","state":{"at":"2026-11-02T01:00:00Z","minutes":1e300,"hours":-1,"failures":-1,"seconds":-1e300,"sign_ins":-5,"good":"0001-01-01T00:00:00Z","failed":"0001-01-01T00:00:00Z"}}` +
		"\n" + border + `{"person":"192.0.2.0","taught":"2026-11-02T01:00:00Z","state":{"epoch":-9223372036854775808,"failed":[18446744073709551615,0],"good":[0,0]}}`
	if err := f.Import(strings.NewReader(wild)); err != nil {
		t.Fatal(err)
	}
	for _, at := range []time.Time{morning, time.Unix(-1<<40, 0)} {
		teach(t, f, failure("q", office, at))
		if v := assess(t, f, "p", office, at); v.LLR != -limit || v.Confidence > 1 {
			t.Errorf("%+v", v)
		}
	}
}

func FuzzAssess(f *testing.F) {
	f.Add("p", "192.0.2.0", 12, int64(time.Second), int64(time.Hour))
	f.Add("", "", 0, int64(-1), int64(math.MinInt64))
	f.Fuzz(func(t *testing.T, person, from string, times int, step, later int64) {
		plugin := newPlugin()
		for n := range max(0, min(times, 60)) {
			at := morning.Add(time.Duration(step * int64(n)))
			teach(t, plugin, failure(person, from, at), signIn(person+"x", from, at))
		}
		for _, who := range []string{person, person + "x"} {
			v := assess(t, plugin, who, from, morning.Add(time.Duration(later)))
			if math.IsNaN(v.LLR) || v.LLR > 0 || v.LLR < -limit || v.Confidence < 0 || v.Confidence > 1 || v.Abstained && v.LLR != 0 {
				t.Errorf("%+v", v)
			}
		}
	})
}

func BenchmarkAssess(b *testing.B) {
	f := newPlugin()
	month(b, f, "p")
	for n := range 12 {
		teach(b, f, failure(fmt.Sprint("victim", n), office, morning))
	}
	for b.Loop() {
		assess(b, f, "p", office, morning)
	}
}
