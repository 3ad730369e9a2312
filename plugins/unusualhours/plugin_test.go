package main

import (
	"bytes"
	"fmt"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/plugins/contract"
)

// monday is 09:00 in Taipei.
var monday = time.Date(2026, 11, 2, 1, 0, 0, 0, time.UTC)

func signInAt(person string, at time.Time) contract.Observation {
	return contract.Observation{Kind: contract.KindSignIn, Person: person, At: at}
}

func teach(t testing.TB, u *unusualHours, all ...contract.Observation) int {
	t.Helper()
	learned, err := u.Observe(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	return learned
}

// office teaches so many work days at about 09:00, and returns the next Monday.
func office(t testing.TB, u *unusualHours, person string, days int) time.Time {
	t.Helper()
	at := monday
	for taught := 0; taught < days; at = at.AddDate(0, 0, 1) {
		if weekday := at.Weekday(); weekday != time.Saturday && weekday != time.Sunday {
			teach(t, u, signInAt(person, at.Add(time.Duration(taught%7*10)*time.Minute)))
			taught++
		}
	}
	for at.Weekday() != time.Monday {
		at = at.AddDate(0, 0, 1)
	}
	return at
}

func assess(t testing.TB, u *unusualHours, o contract.Observation) contract.Verdict {
	t.Helper()
	o.Kind = contract.KindSituation
	v, err := u.Assess(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestTheFartherFromTheUsualHourTheWorse(t *testing.T) {
	u := newPlugin(days(t))
	next := office(t, u, "p", 20)
	last := math.Inf(1)
	for _, hours := range []int{0, 2, 3, 5} {
		v := assess(t, u, signInAt("p", next.Add(time.Duration(hours)*time.Hour)))
		if v.Abstained || v.LLR >= last {
			t.Errorf("%d hours later: %+v after %.2f", hours, v, last)
		}
		last = v.LLR
	}
	usual := assess(t, u, signInAt("p", next))
	night := assess(t, u, signInAt("p", next.Add(18*time.Hour))) // 03:00
	saturday := assess(t, u, signInAt("p", next.AddDate(0, 0, 5)))
	if usual.LLR < 1 || night.LLR > -2 || saturday.LLR >= usual.LLR-1 {
		t.Errorf("usual %.2f, night %.2f, Saturday %.2f", usual.LLR, night.LLR, saturday.LLR)
	}
	if usual.Reasons[0].Code != reasonUsual || night.Reasons[0].Code != reasonUnusual || night.Reasons[0].Args["time"] != "03:00" {
		t.Errorf("%+v, %+v", usual.Reasons, night.Reasons)
	}
	late := assess(t, u, signInAt("p", next.AddDate(0, 0, 5).Add(18*time.Hour)))
	if late.Reasons[0].Code != reasonRestDay || late.LLR >= unusual {
		t.Errorf("Sunday at 03:00: %+v", late)
	}
}

func TestMidnightIsNoBorder(t *testing.T) {
	u := newPlugin(days(t))
	evening := monday.Add(14*time.Hour + 50*time.Minute) // 23:50
	for n := range 5 {
		teach(t, u, signInAt("p", evening.AddDate(0, 0, 7*n)))
	}
	next := evening.AddDate(0, 0, 35)
	before, after := assess(t, u, signInAt("p", next.Add(-20*time.Minute))), assess(t, u, signInAt("p", next.Add(20*time.Minute)))
	if math.Abs(before.LLR-after.LLR) > 1e-9 || before.LLR < 1 {
		t.Errorf("20 minutes before %.3f, after %.3f", before.LLR, after.LLR)
	}
}

func TestTheFormulaByHand(t *testing.T) {
	// Alone on the PDP: six sign-ins at the same minute of a Monday, N = 0, so
	// I = 1/2π, and U = (6·K + I)/7 with K = e^κ/(2π·I0(κ))·(0.95/0.69 + 0.05).
	u := newPlugin(days(t))
	for n := range 6 {
		teach(t, u, signInAt("p", monday.AddDate(0, 0, 7*n)))
	}
	// I0(12) from Abramowitz and Stegun, table 9.8: e^-12·I0(12) = 0.1164262212.
	k := 1 / (2 * math.Pi * 0.1164262212) * (0.95/0.69 + 0.05)
	i := 1 / (2 * math.Pi)
	want := math.Log((6*k + i) / 7 / i)
	v := assess(t, u, signInAt("p", monday.AddDate(0, 0, 42)))
	if math.Abs(v.LLR-want) > 1e-6 || v.Confidence != 6.0/16 {
		t.Errorf("by hand %.6f, got %.6f (confidence %.3f)", want, v.LLR, v.Confidence)
	}
}

func TestTheDensitiesAddUpToOne(t *testing.T) {
	k := newKernel()
	var c crowd
	c.add(moment{angle: 2}, 7)
	c.add(moment{angle: 5, rest: true}, 3)
	const steps = 48_000
	kernels, impostors := 0.0, 0.0
	for n := range steps {
		for _, rest := range []bool{false, true} {
			m := moment{rest: rest, angle: 2 * math.Pi * (float64(n) + 0.5) / steps}
			kernels += k.near(m, moment{angle: 6}) * share(rest) * 2 * math.Pi / steps
			impostors += k.impostor(m, &c) * share(rest) * 2 * math.Pi / steps
		}
	}
	if math.Abs(kernels-1) > 1e-6 || math.Abs(impostors-1) > 1e-6 {
		t.Errorf("a kernel %.6f, the impostor %.6f", kernels, impostors)
	}
}

func TestOfficeHoursSayLessThanOwnHours(t *testing.T) {
	u := newPlugin(days(t))
	for n := range 40 {
		office(t, u, fmt.Sprint("colleague", n), 10)
	}
	next := office(t, u, "p", 20)
	for n := range 20 {
		teach(t, u, signInAt("owl", monday.AddDate(0, 0, n).Add(15*time.Hour)))
	}
	day, night := assess(t, u, signInAt("p", next)), assess(t, u, signInAt("owl", next.Add(15*time.Hour)))
	if day.LLR <= 0.2 || day.LLR >= night.LLR {
		t.Errorf("office hours %.2f, own hours %.2f", day.LLR, night.LLR)
	}
}

func TestWhatTheClientSaysOfItsZoneOnlyLowers(t *testing.T) {
	u := newPlugin(days(t))
	next := office(t, u, "p", 20)
	for _, hour := range []int{0, 6, 18} {
		o := signInAt("p", next.Add(time.Duration(hour)*time.Hour))
		silent := assess(t, u, o)
		for minutes := westernmost; minutes <= easternmost; minutes += 30 {
			o.ZoneMinutes, o.ZoneKnown = minutes, true
			if v := assess(t, u, o); v.LLR > silent.LLR {
				t.Errorf("hour +%d, zone %d: %.2f rises above %.2f", hour, minutes, v.LLR, silent.LLR)
			}
		}
	}
	o := signInAt("p", next)
	usual := assess(t, u, o)
	o.ZoneMinutes = -4 * 60 // not known
	if v := assess(t, u, o); !reflect.DeepEqual(v, usual) {
		t.Errorf("a zone that nobody said: %+v", v)
	}
	o.ZoneMinutes, o.ZoneKnown = 8*60, true // Taipei's own
	if v := assess(t, u, o); v.LLR != usual.LLR {
		t.Errorf("the agency's own zone changes %.2f to %.2f", usual.LLR, v.LLR)
	}
	o.ZoneMinutes = 0 // UTC, where it is 01:00
	if v := assess(t, u, o); v.LLR >= unusual || v.Reasons[0].Code != reasonZone {
		t.Errorf("01:00 by the client's clock: %+v", v)
	}
	o.ZoneMinutes = -4 * 60 // 21:00 there
	if v := assess(t, u, o); v.LLR >= unusual || v.Reasons[0].Code != reasonZone {
		t.Errorf("21:00 by the client's clock: %+v", v)
	}
	o.ZoneMinutes = 1 << 30
	if v := assess(t, u, o); !reflect.DeepEqual(v, usual) {
		t.Errorf("a zone that is none: %+v", v)
	}
}

func TestWhoeverWorksFromAnotherZoneIsUsualThere(t *testing.T) {
	u := newPlugin(days(t))
	evening := monday.Add(6 * time.Hour) // 15:00 in Taipei, 08:00 at UTC+1
	o := signInAt("p", evening)
	o.ZoneMinutes, o.ZoneKnown = 60, true
	for range 12 {
		teach(t, u, o)
		o.At = o.At.AddDate(0, 0, 7)
	}
	if v := assess(t, u, o); v.LLR < 1 || v.Reasons[0].Code != reasonUsual {
		t.Errorf("%+v", v)
	}
}

func TestAbstainsBeforeFiveSignIns(t *testing.T) {
	u := newPlugin(days(t))
	for n := range minSignIns {
		if v := assess(t, u, signInAt("p", monday.AddDate(0, 0, 7))); !v.Abstained || v.LLR != 0 || v.Reasons[0].Code != reasonNoHistory {
			t.Errorf("after %d: %+v", n, v)
		}
		teach(t, u, signInAt("p", monday.AddDate(0, 0, n)))
	}
	for name, at := range map[string]time.Time{
		"before the history": monday.Add(-time.Hour), "after the retention": monday.AddDate(0, 0, 4).Add(retention),
		"when less than five are left": monday.Add(retention),
	} {
		if v := assess(t, u, signInAt("p", at)); !v.Abstained {
			t.Errorf("%s: %+v", name, v)
		}
	}
	if v := assess(t, u, signInAt("p", monday.AddDate(0, 0, 7))); v.Abstained {
		t.Errorf("after five: %+v", v)
	}
}

// counted is what everybody's counts must be.
func counted(u *unusualHours, people ...string) crowd {
	var c crowd
	for _, name := range people {
		u.Look(name, monday, func(p *person) {
			for _, s := range p.SignIns {
				c.add(u.calendar.at(s.At, u.calendar.offset(s.At)), 1)
			}
		})
	}
	return c
}

func TestBoundsHoldAndCountsFollow(t *testing.T) {
	u := newPlugin(days(t))
	for n := range 3 * maxSignIns {
		teach(t, u, signInAt("p", monday.Add(time.Duration(n)*time.Hour)))
	}
	teach(t, u, signInAt("q", monday), signInAt("q", monday), signInAt("q", monday.Add(-time.Hour)))
	check := func(when string, want int) {
		t.Helper()
		if got := counted(u, "p", "q"); got != u.everybody || got.all != want {
			t.Errorf("%s: %d counted, %d kept, %d wanted", when, u.everybody.all, got.all, want)
		}
	}
	check("taught", maxSignIns+2)
	teach(t, u, signInAt("q", monday.Add(retention-time.Hour)))
	check("one past the retention", maxSignIns+2) // one of q's is too old by now
	var state bytes.Buffer
	if err := u.Export(&state); err != nil {
		t.Fatal(err)
	}
	text := state.String()
	if err := u.Learn(t.Context(), contract.Feedback{Observation: signInAt("q", monday)}); err != nil {
		t.Fatal(err)
	}
	if err := u.Learn(t.Context(), contract.Feedback{Observation: signInAt("p", monday.Add(maxSignIns*3*time.Hour)), Genuine: true}); err != nil {
		t.Fatal(err)
	}
	check("one was an impostor's", maxSignIns+1)
	u.Forget("p")
	check("p forgotten", 1)
	if err := u.Import(bytes.NewBufferString(text)); err != nil {
		t.Fatal(err)
	}
	check("handed over", maxSignIns+2)
	var again bytes.Buffer
	if err := u.Export(&again); err != nil || again.String() != text {
		t.Errorf("a state changed by being handed over: %v", err)
	}
}

func TestAStateThatIsTooLongIsCut(t *testing.T) {
	u := newPlugin(days(t))
	var long bytes.Buffer
	fmt.Fprintf(&long, `{"person":"p","taught":"2026-11-02T01:00:00Z","state":{"sign_ins":[{"at":%d}`, monday.Unix()-1000)
	for n := range 999 {
		fmt.Fprintf(&long, `,{"at":%d}`, monday.Unix()-999+int64(n))
	}
	long.WriteString("]}}\n")
	if err := u.Import(&long); err != nil || u.everybody.all != maxSignIns {
		t.Errorf("%d counted, %v", u.everybody.all, err)
	}
}

func TestAFullStateCanBeHandedOver(t *testing.T) {
	u := newPlugin(days(t))
	for n := range maxSignIns {
		o := signInAt(fmt.Sprintf("%032d", 0), monday.Add(time.Duration(n)*time.Hour))
		o.ZoneMinutes, o.ZoneKnown = -720, true
		teach(t, u, o)
	}
	var state bytes.Buffer
	if err := u.Export(&state); err != nil || state.Len()*maxPeople > contract.MaxStateBytes {
		t.Errorf("one person takes %d bytes: %v", state.Len(), err)
	}
}

func FuzzAssess(f *testing.F) {
	f.Add(int64(0), int64(3600), 480, 6)
	f.Add(int64(math.MaxInt32), int64(math.MinInt32), -720, 0)
	f.Fuzz(func(t *testing.T, taught, now int64, zone, times int) {
		u := newPlugin(days(t))
		const century = int64(100 * 365 * secondsADay)
		taught, now = taught%century, now%century
		for n := range max(0, min(times, 80)) {
			o := signInAt("p", time.Unix(taught+int64(n)*7919, 0))
			o.ZoneMinutes, o.ZoneKnown = zone, zone%2 == 0
			teach(t, u, o)
		}
		o := signInAt("p", time.Unix(now, 0))
		o.ZoneMinutes, o.ZoneKnown = zone, true
		v := assess(t, u, o)
		if math.IsNaN(v.LLR) || math.Abs(v.LLR) > limit || v.Confidence < 0 || v.Confidence > 1 || v.Abstained && v.LLR != 0 {
			t.Errorf("%+v", v)
		}
	})
}

func BenchmarkAssess(b *testing.B) {
	c, err := newCalendar("Asia/Taipei", nil)
	if err != nil {
		b.Fatal(err)
	}
	u := newPlugin(c)
	next := office(b, u, "p", maxSignIns)
	o := signInAt("p", next)
	o.ZoneMinutes, o.ZoneKnown = 60, true
	for b.Loop() {
		assess(b, u, o)
	}
}
