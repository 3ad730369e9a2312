package main

import (
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/plugins/contract"
)

var day = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

func signIn(person, device string, at time.Time) contract.Observation {
	return contract.Observation{Kind: contract.KindSignIn, Person: person, Device: device, At: at}
}

func teach(tb testing.TB, d *devicePair, person, device string, times int, from time.Time) {
	tb.Helper()
	for i := range times {
		if _, err := d.Observe(tb.Context(), []contract.Observation{signIn(person, device, from.Add(time.Duration(i)*time.Minute))}); err != nil {
			tb.Fatal(err)
		}
	}
}

func assess(t *testing.T, d *devicePair, person, device string, at time.Time) contract.Verdict {
	t.Helper()
	v, err := d.Assess(t.Context(), contract.Observation{Person: person, Device: device, At: at})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestTheFormulaByHand: nobody else, so π is 1/100.
func TestTheFormulaByHand(t *testing.T) {
	for name, c := range map[string]struct {
		f    facts
		want float64
	}{
		// θ = (0 + 20/100)/(10 − 1 + 20)
		"the only device":   {facts{signIns: 10, share: 1}, math.Log((1 - .2/29) / .01)},
		"a new one":         {facts{signIns: 10}, math.Log(.2 / 29 / .99)},
		"a new one at once": {facts{signIns: 1}, math.Log(.2 / 20 / .99)},
		// I = .01 + .99·5/10
		"five sharers":          {facts{signIns: 10, share: 1, users: 5}, math.Log((1 - .2/29) / .505)},
		"a classroom's machine": {facts{signIns: 10, share: .1, users: 50}, 0},
		// θ = (4 + .2)/29
		"one who often has new ones":    {facts{signIns: 10, fresh: 4}, math.Log(4.2 / 29 / .99)},
		"where all often have new ones": {facts{signIns: 10, othersSignIns: 900, othersFresh: 99}, math.Log(20 * .1 / 29 / .99)},
		"held to the limit":             {facts{signIns: 1000}, -limit},
	} {
		if got := score(c.f); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s: %.4f, by hand %.4f", name, got, c.want)
		}
	}
}

func TestUseIsLearned(t *testing.T) {
	d := newPlugin()
	teach(t, d, "p", "laptop", 9, day)
	teach(t, d, "p", "spare", 1, day.Add(9*time.Minute))
	now := day.Add(10 * time.Minute)
	own, spare, strange := assess(t, d, "p", "laptop", now), assess(t, d, "p", "spare", now), assess(t, d, "p", "another", now)
	if own.LLR <= spare.LLR || spare.LLR <= 0 || strange.LLR >= 0 {
		t.Errorf("own %.2f, spare %.2f, strange %.2f", own.LLR, spare.LLR, strange.LLR)
	}
	// Of ten sign-ins one brought a new device: θ = (1 + .2)/29, a share of .1.
	if want := math.Log((1 - 1.2/29) * .1 / .01); math.Abs(spare.LLR-want) > 1e-3 {
		t.Errorf("spare %.4f, by hand %.4f", spare.LLR, want)
	}
	for code, v := range map[string]contract.Verdict{reasonFamiliar: own, reasonStrange: strange} {
		if v.Reasons[0].Code != code || v.Reasons[0].Args["sign_ins"] != "10" {
			t.Errorf("want %s: %+v", code, v.Reasons)
		}
	}
}

func TestASharedDeviceSaysLess(t *testing.T) {
	d := newPlugin()
	last := math.Inf(1)
	teach(t, d, "p", "laptop", 10, day)
	for sharers := range 20 {
		v := assess(t, d, "p", "laptop", day.Add(time.Hour))
		if v.LLR >= last && v.LLR > 0 || v.LLR < 0 {
			t.Errorf("%d sharers: %.2f after %.2f", sharers, v.LLR, last)
		}
		last = v.LLR
		teach(t, d, fmt.Sprint("colleague", sharers), "laptop", 1, day)
	}
	v := assess(t, d, "p", "laptop", day.Add(time.Hour))
	if v.Reasons[0].Code != reasonShared || v.Reasons[0].Args["people"] != "20" {
		t.Errorf("%+v", v.Reasons)
	}
	// Who never used it is not spoken for, however many do.
	if v := assess(t, d, "colleague0", "laptop2", day.Add(time.Hour)); v.LLR >= 0 {
		t.Errorf("%+v", v)
	}
}

func TestUseFades(t *testing.T) {
	d := newPlugin()
	teach(t, d, "p", "old", 8, day)
	teach(t, d, "p", "new", 2, day.Add(2*halfLife))
	v, w := assess(t, d, "p", "old", day.Add(2*halfLife)), assess(t, d, "p", "new", day.Add(2*halfLife))
	if math.Abs(v.LLR-w.LLR) > .01 { // 8/4 = 2
		t.Errorf("old %.3f, new %.3f", v.LLR, w.LLR)
	}
	if long := assess(t, d, "p", "new", day.Add(4*halfLife)); long.Confidence >= w.Confidence {
		t.Errorf("confidence %.2f after two months, %.2f before", long.Confidence, w.Confidence)
	}
}

func TestAbstains(t *testing.T) {
	d := newPlugin()
	teach(t, d, "p", "laptop", 5, day)
	for name, v := range map[string]contract.Verdict{
		reasonUnnamed:   assess(t, d, "p", "", day.Add(time.Hour)),
		reasonNoHistory: assess(t, d, "q", "laptop", day.Add(time.Hour)),
	} {
		if !v.Abstained || v.LLR != 0 || v.Reasons[0].Code != name {
			t.Errorf("%s: %+v", name, v)
		}
	}
	if v := assess(t, d, "p", "laptop", day.Add(retention+time.Hour)); !v.Abstained {
		t.Errorf("past the retention: %+v", v)
	}
}

func TestWhatDoesNotTeach(t *testing.T) {
	d := newPlugin()
	one := signIn("p", "laptop", day)
	for name, change := range map[string]func(*contract.Observation){
		"a failure":     func(o *contract.Observation) { o.Kind = contract.KindFailedSignIn },
		"a situation":   func(o *contract.Observation) { o.Kind = contract.KindSituation },
		"what was done": func(o *contract.Observation) { o.Kind = contract.KindActivity },
		"no device":     func(o *contract.Observation) { o.Device = "" },
	} {
		o := one
		change(&o)
		if learned, err := d.Observe(t.Context(), []contract.Observation{o}); err != nil || learned != 0 {
			t.Errorf("%s taught %d, %v", name, learned, err)
		}
	}
	if learned, err := d.Observe(t.Context(), []contract.Observation{one, one}); err != nil || learned != 1 {
		t.Errorf("one that came twice taught %d, %v", learned, err)
	}
}

// TestEverybodysRateIsTheOthers: the person's own sign-ins are not counted twice.
func TestEverybodysRateIsTheOthers(t *testing.T) {
	d := newPlugin()
	teach(t, d, "p", "laptop", 5, day)
	teach(t, d, "q", "first", 1, day)
	teach(t, d, "q", "second", 99, day.Add(time.Hour))
	v := assess(t, d, "p", "another", day.Add(time.Hour))
	if want := math.Log(20 * (2. / 200) / (4 + 20) / .99); math.Abs(v.LLR-want) > 1e-9 {
		t.Errorf("%.4f, by hand %.4f", v.LLR, want)
	}
}

func TestBoundsHold(t *testing.T) {
	d := newPlugin()
	for n := range 3 * maxDevices {
		teach(t, d, "p", fmt.Sprint("device", n), 1, day.Add(time.Duration(n)*time.Hour))
	}
	teach(t, d, "p", "last", 2*maxCount, day.Add(100*time.Hour))
	d.habits.people.Look("p", day, func(p *person) {
		if len(p.Devices) != maxDevices || p.SignIns > maxCount || checkPerson(p) != nil {
			t.Errorf("%d devices, %d sign-ins", len(p.Devices), p.SignIns)
		}
	})
	for n := range maxPeople {
		teach(t, d, fmt.Sprint("q", n), fmt.Sprint("of", n), 1, day)
	}
	if d.habits.people.Len() != maxPeople || len(d.habits.users) != maxPeople || d.habits.signIns != maxPeople || d.habits.fresh != 0 {
		t.Errorf("%d people, %d devices, %d sign-ins, %d new ones", d.habits.people.Len(), len(d.habits.users), d.habits.signIns, d.habits.fresh)
	}
}

func TestRetentionAndForgetting(t *testing.T) {
	d := newPlugin()
	teach(t, d, "p", "old", 3, day)
	teach(t, d, "p", "laptop", 3, day.Add(retention/2))
	if v := assess(t, d, "p", "old", day.Add(retention+time.Hour)); v.Reasons[0].Code != reasonStrange {
		t.Errorf("a device past the retention is known: %+v", v)
	}
	teach(t, d, "p", "laptop", 1, day.Add(retention+time.Hour))
	if d.habits.users["old"] != 0 || d.habits.users["laptop"] != 1 {
		t.Errorf("kept: %v", d.habits.users)
	}
	d.Forget("p")
	if d.habits.people.Len() != 0 || len(d.habits.users) != 0 || d.habits.signIns != 0 || d.habits.fresh != 0 {
		t.Errorf("after forgetting: %+v", d.habits)
	}
	teach(t, d, "p", "laptop", 1, day)
	teach(t, d, "q", "another", 1, day.Add(retention))
	if d.habits.people.Len() != 1 || d.habits.users["laptop"] != 0 {
		t.Errorf("after the retention: %v", d.habits.users)
	}
}

func TestStateIsHandedOver(t *testing.T) {
	old, next := newPlugin(), newPlugin()
	teach(t, old, "p", "laptop", 5, day)
	teach(t, old, "q", "laptop", 2, day)
	teach(t, next, "r", "other", 2, day)
	var state strings.Builder
	if err := old.Export(&state); err != nil {
		t.Fatal(err)
	}
	if err := next.Import(strings.NewReader(state.String())); err != nil {
		t.Fatal(err)
	}
	a, b := assess(t, old, "p", "laptop", day.Add(time.Hour)), assess(t, next, "p", "laptop", day.Add(time.Hour))
	if a.LLR != b.LLR || a.Confidence != b.Confidence || !maps.Equal(old.habits.users, next.habits.users) || next.habits.signIns != 7 {
		t.Errorf("%+v became %+v; %v", a, b, next.habits.users)
	}
	for _, broken := range []string{
		`{"sign_ins":1,"devices":[{"id":"","use":1,"last":"2026-11-22T09:00:00Z"}]}`,
		`{"sign_ins":1,"devices":[{"id":"a","use":-1,"last":"2026-11-22T09:00:00Z"}]}`,
		`{"sign_ins":1,"devices":[{"id":"a","use":1}]}`,
		`{"sign_ins":1,"devices":[{"id":"a","use":1,"last":"2026-11-22T09:00:00Z"},{"id":"a","use":1,"last":"2026-11-22T09:00:00Z"}]}`,
		`{"sign_ins":1,"fresh":2}`, `{"sign_ins":9999}`, `{"fresh":-1}`,
	} {
		line := `{"person":"p","taught":"2026-11-22T09:00:00Z","state":` + broken + `}`
		if err := next.Import(strings.NewReader(line)); err == nil || next.habits.signIns != 7 {
			t.Errorf("%s was taken: %v", broken, err)
		}
	}
}

// TestAFullStateCanBeHandedOver: as many people as are kept, each with the
// longest line there is.
func TestAFullStateCanBeHandedOver(t *testing.T) {
	d := newPlugin()
	long := strings.Repeat("d", contract.MaxTextBytes-1)
	for n := range maxDevices {
		teach(t, d, long+"p", fmt.Sprint(long, n), 7, day.Add(time.Duration(n)*time.Hour+123456789))
	}
	var state strings.Builder
	if err := d.Export(&state); err != nil {
		t.Fatal(err)
	}
	if all := state.Len() * maxPeople; all > contract.MaxStateBytes {
		t.Errorf("%d bytes, %d can be handed over", all, contract.MaxStateBytes)
	}
}

func TestAnOfficersWord(t *testing.T) {
	d := newPlugin()
	teach(t, d, "p", "laptop", 5, day)
	teach(t, d, "p", "intruder", 3, day.Add(time.Hour))
	if err := d.Learn(t.Context(), contract.Feedback{Observation: signIn("p", "intruder", day.Add(time.Hour))}); err != nil {
		t.Fatal(err)
	}
	if v := assess(t, d, "p", "intruder", day.Add(2*time.Hour)); v.LLR >= 0 || d.habits.users["intruder"] != 0 {
		t.Errorf("still this person's: %+v", v)
	}
	if err := d.Learn(t.Context(), contract.Feedback{Observation: signIn("p", "spare", day.Add(2*time.Hour)), Genuine: true}); err != nil {
		t.Fatal(err)
	}
	if v := assess(t, d, "p", "spare", day.Add(3*time.Hour)); v.LLR <= 0 {
		t.Errorf("genuine, and not learned: %+v", v)
	}
}

func BenchmarkAssess(b *testing.B) {
	d := newPlugin()
	for n := range maxDevices {
		teach(b, d, "p", fmt.Sprint("device", n), 8, day.Add(time.Duration(n)*time.Hour))
	}
	o := contract.Observation{Person: "p", Device: "device3", At: day.Add(100 * time.Hour)}
	for b.Loop() {
		if _, err := d.Assess(b.Context(), o); err != nil {
			b.Fatal(err)
		}
	}
}
