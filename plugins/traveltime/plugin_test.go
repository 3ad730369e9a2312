package main

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/plugins/contract"
)

var day = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

func seen(tb testing.TB, p *travelTime, kind contract.Kind, network string, at time.Time) int {
	tb.Helper()
	n, err := p.Observe(tb.Context(), []contract.Observation{{Kind: kind, Person: "p", Network: network, At: at}})
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

func assess(t *testing.T, p *travelTime, network string, at time.Time) contract.Verdict {
	t.Helper()
	v, err := p.Assess(t.Context(), contract.Observation{Person: "p", Network: network, At: at})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestDistances: a quarter of a great circle, its half, a degree of it, and two
// cities (8,970 km by any atlas).
func TestDistances(t *testing.T) {
	for want, pair := range map[float64][2]spot{
		0: {{Latitude: 25, Longitude: 121}, {Latitude: 25, Longitude: 121}}, math.Pi / 2 * earth: {{}, {Latitude: 90}},
		math.Pi * earth: {{Longitude: -90}, {Longitude: 90}}, math.Pi / 180 * earth: {{Longitude: -180}, {Longitude: 179}},
	} {
		if got := distance(pair[0], pair[1]); math.Abs(got-want) > 1e-6 || math.Abs(distance(pair[1], pair[0])-got) > 1e-9 {
			t.Errorf("%v: %.3f, want %.3f", pair, got, want)
		}
	}
	if d := distance(spot{Latitude: 25.05, Longitude: 121.53}, spot{Latitude: 52.52, Longitude: 13.40}); math.Abs(d-8970) > 30 {
		t.Errorf("Taipei to Berlin: %.0f km", d)
	}
}

// TestTheFormulaByHand: 3000 km less two radii of 250 and 750 are 2000 km, two
// hours at 1000 km/h.
func TestTheFormulaByHand(t *testing.T) {
	here := spot{Radius: 250}
	there := spot{Longitude: 3000 / earth * 180 / math.Pi, Radius: 750}
	for hours, want := range map[float64]float64{0: 1, .5: 1, 1: 1, 1.5: 1. / 3, 1.6: .25, 2: 0, 3: 0, -1.5: 1. / 3, -24: 0} {
		j := travel(here, there, time.Duration(hours*float64(time.Hour)))
		if math.Abs(j.gap-2000) > 1e-6 || math.Abs(j.impossibility()-want) > 1e-6 {
			t.Errorf("%v hours: %.1f km, %.4f, by hand %.4f", hours, j.gap, j.impossibility(), want)
		}
	}
	if j := travel(spot{Radius: 1}, spot{Longitude: .9, Radius: 1}, 0); j.impossibility() != 0 {
		t.Errorf("%.1f km are too short to say anything", j.gap)
	}
	for want, got := range map[float64]float64{
		math.Log(.1 / 20 / .5):       score(1, 0, 0),
		math.Log(.1/20/.5) / 4:       score(.25, 0, 0),
		math.Log((3 + .1) / 30 / .5): score(1, 10, 3),
		math.Log(.1/(10+20)/.5) / 2:  score(.5, 10, 0),
	} {
		if math.Abs(got-want) > 1e-9 {
			t.Errorf("%.4f, by hand %.4f", got, want)
		}
	}
	if score(1, 100, 100) != 0 || score(1, maxDays, 0) != -limit || score(0, 10, 0) != 0 || math.Signbit(score(0, 10, 0)) {
		t.Error("positive, beyond the limit, or an opinion of nothing")
	}
}

func TestImpossibleTravel(t *testing.T) {
	p := newPlugin(world(t))
	seen(t, p, contract.KindSignIn, taipei, day)
	for _, c := range []struct {
		network string
		after   time.Duration
		code    string
		args    string
	}{
		{taipei, time.Hour, reasonPlausible, ""},
		{kaohsiung, 0, reasonAtOnce, "map[kilometres:300]"},
		{kaohsiung, 20 * time.Minute, reasonPlausible, ""},
		{tokyo, time.Hour, reasonImpossible, "map[hours:1 kilometres:2000]"},
		{tokyo, 3 * time.Hour, reasonPlausible, ""},
		{berlin, time.Hour, reasonImpossible, "map[hours:1 kilometres:8900]"},
		{berlin, 3 * time.Minute, reasonAtOnce, "map[kilometres:8900]"},
		{berlin, -time.Hour, reasonImpossible, "map[hours:1 kilometres:8900]"},
		{berlin, 9 * time.Hour, reasonPlausible, ""},
		{vague, 8 * time.Hour, reasonPlausible, ""},
		{vague, 4 * time.Hour, reasonImpossible, "map[hours:4 kilometres:7900]"},
	} {
		v := assess(t, p, c.network, day.Add(c.after))
		got := v.Reasons[0].Code
		if got != c.code || c.args != "" && fmt.Sprint(v.Reasons[0].Args) != c.args {
			t.Errorf("%s after %v: %+v", c.network, c.after, v)
		}
		if impossible := got != reasonPlausible; impossible != (v.LLR < 0) || v.LLR > 0 || v.Abstained {
			t.Errorf("%s after %v: %.2f", c.network, c.after, v.LLR)
		}
	}
}

// TestUseInTwoPlaces: while both sessions live, both are asked, whichever was
// seen last; when one has ended for long enough, the other is not.
func TestUseInTwoPlaces(t *testing.T) {
	p := newPlugin(world(t))
	seen(t, p, contract.KindSignIn, taipei, day)
	seen(t, p, contract.KindSignIn, berlin, day.Add(time.Minute))
	now := day
	for n := range 30 {
		now = day.Add(time.Duration(n+2) * time.Minute)
		seen(t, p, contract.KindActivity, []string{taipei, berlin}[n%2], now)
	}
	for _, network := range []string{taipei, berlin} {
		if v := assess(t, p, network, now.Add(time.Second)); v.LLR > -3 || v.Reasons[0].Code != reasonAtOnce {
			t.Errorf("%s: %+v", network, v)
		}
	}
	seen(t, p, contract.KindActivity, taipei, now.Add(9*time.Hour))
	if v := assess(t, p, taipei, now.Add(9*time.Hour)); v.LLR != 0 {
		t.Errorf("nine hours later: %+v", v)
	}
}

// TestAnIntruderDoesNotBecomeUsual: a hundred sign-ins from afar within a day
// count as one jump, and that one excuses nothing on its day nor the next.
func TestAnIntruderDoesNotBecomeUsual(t *testing.T) {
	p := newPlugin(world(t))
	for n := range 20 {
		seen(t, p, contract.KindSignIn, taipei, day.Add(time.Duration(n-20)*24*time.Hour))
	}
	for n := range 100 {
		seen(t, p, contract.KindSignIn, []string{berlin, taipei}[n%2], day.Add(time.Duration(n)*time.Minute))
		seen(t, p, contract.KindActivity, berlin, day.Add(time.Duration(n)*time.Minute+time.Second))
	}
	if v := assess(t, p, berlin, day.Add(101*time.Minute)); v.LLR != -limit {
		t.Errorf("%.4f, by hand ln(.1/41/½), held to the limit", v.LLR)
	}
	later := day.Add(3 * 24 * time.Hour)
	seen(t, p, contract.KindSignIn, taipei, later)
	v := assess(t, p, berlin, later.Add(time.Hour))
	if want := math.Log((1 + .1) / (22 + 20) / .5); math.Abs(v.LLR-want) > 1e-9 {
		t.Errorf("%.4f, by hand %.4f", v.LLR, want)
	}
}

func TestAbstains(t *testing.T) {
	p := newPlugin(world(t, "141.20.0.0/16"))
	seen(t, p, contract.KindSignIn, taipei, day)
	for network, code := range map[string]string{berlin: reasonGateway, blank: reasonNoLocation, nonsense: reasonNoLocation, "": reasonNoLocation, "192.168.1.0": reasonNoLocation} {
		if v := assess(t, p, network, day.Add(time.Minute)); !v.Abstained || v.LLR != 0 || v.Reasons[0].Code != code {
			t.Errorf("%q: %+v", network, v)
		}
		if n := seen(t, p, contract.KindSignIn, network, day.Add(time.Minute)); n != 0 {
			t.Errorf("%q was learned", network)
		}
	}
	stranger, err := p.Assess(t.Context(), contract.Observation{Person: "q", Network: taipei, At: day})
	if err != nil || !stranger.Abstained || stranger.Reasons[0].Code != reasonNoHistory {
		t.Errorf("%+v %v", stranger, err)
	}
	if v := assess(t, p, taipei, day.Add(retention)); !v.Abstained {
		t.Errorf("past the retention: %+v", v)
	}
}

func TestWhatDoesNotTeach(t *testing.T) {
	p := newPlugin(world(t))
	for want, kind := range map[contract.Kind]int{contract.KindSituation: 0, contract.KindFailedSignIn: 0, contract.KindActivity: 1} {
		if n := seen(t, p, want, taipei, day); n != kind {
			t.Errorf("kind %d taught %d", want, n)
		}
	}
	if n := seen(t, p, contract.KindSignIn, taipei, day); n != 0 {
		t.Error("one that came twice taught twice")
	}
	seen(t, p, contract.KindSignIn, taipei, day.Add(time.Minute))
	seen(t, p, contract.KindActivity, berlin, day.Add(24*time.Hour))
	p.trails.Look("p", day, func(one *person) {
		if one.Days != 1 || one.Jumps != 0 {
			t.Errorf("what a session does counted as a sign-in: %+v", one)
		}
	})
}

func TestBoundsRetentionAndForgetting(t *testing.T) {
	p := newPlugin(world(t))
	p.trails.Teach("p", day, func(one *person) {
		for n := range 3 * maxPlaces {
			one.learn(day.Add(time.Duration(n)*time.Minute), spot{Latitude: float64(n), Radius: 1}, true)
		}
		if len(one.Places) != maxPlaces || one.Places[0].Latitude != 2*maxPlaces || one.Days != 1 || one.Jumps != 1 {
			t.Errorf("%+v", one)
		}
		// A place is dropped when it can no longer say anything.
		one.learn(day.Add(useful+time.Hour), spot{Latitude: 1, Radius: 1}, true)
		if len(one.Places) != 1 {
			t.Errorf("after a day: %+v", one.Places)
		}
		for n := range 2 * maxDays {
			one.count(day.Add(time.Duration(n)*24*time.Hour), true)
		}
		if err := checkPerson(one); err != nil {
			t.Errorf("%v: %+v", err, one)
		}
	})
	for n := range maxPeople + 10 {
		p.trails.Teach(fmt.Sprint(n), day, func(one *person) { one.learn(day, spot{Radius: 1}, true) })
	}
	if p.trails.Len() != maxPeople {
		t.Errorf("%d people", p.trails.Len())
	}
	seen(t, p, contract.KindSignIn, taipei, day.Add(retention))
	if p.trails.Len() != 1 {
		t.Errorf("%d people past the retention", p.trails.Len()-1)
	}
	p.Forget("p")
	if v := assess(t, p, taipei, day.Add(retention)); !v.Abstained {
		t.Errorf("forgotten, and still: %+v", v)
	}
}

func TestStateIsHandedOver(t *testing.T) {
	old, next := newPlugin(world(t)), newPlugin(world(t))
	seen(t, old, contract.KindSignIn, taipei, day)
	seen(t, old, contract.KindSignIn, berlin, day.Add(time.Hour))
	var state strings.Builder
	if err := old.Export(&state); err != nil {
		t.Fatal(err)
	}
	if err := next.Import(strings.NewReader(state.String())); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*travelTime{old, next} { // the same day counts once in both
		seen(t, p, contract.KindSignIn, taipei, day.Add(2*time.Hour))
	}
	if a, b := assess(t, old, berlin, day.Add(2*time.Hour)), assess(t, next, berlin, day.Add(2*time.Hour)); a.LLR != b.LLR || a.LLR >= 0 {
		t.Errorf("%+v became %+v", a, b)
	}
	for _, broken := range []string{
		`{"places":[{"latitude":95,"longitude":0,"radius":5,"last":"2026-11-22T09:00:00Z"}]}`,
		`{"places":[{"latitude":5,"longitude":0,"radius":0,"last":"2026-11-22T09:00:00Z"}]}`,
		`{"places":[{"latitude":5,"longitude":0,"radius":5}]}`,
		`{"days":1,"jumps":2}`, `{"days":9999}`, `{"jumps":-1}`,
		`{"places":[` + strings.Repeat(`{"latitude":5,"longitude":0,"radius":5,"last":"2026-11-22T09:00:00Z"},`, maxPlaces) + `{"latitude":5,"longitude":0,"radius":5,"last":"2026-11-22T09:00:00Z"}]}`,
	} {
		line := `{"person":"p","taught":"2026-11-22T09:00:00Z","state":` + broken + `}`
		if err := next.Import(strings.NewReader(line)); err == nil || next.trails.Len() != 1 {
			t.Errorf("%.80s was taken: %v", broken, err)
		}
	}
}

func TestAnOfficersWord(t *testing.T) {
	p := newPlugin(world(t))
	seen(t, p, contract.KindSignIn, taipei, day)
	seen(t, p, contract.KindSignIn, berlin, day.Add(time.Hour))
	word := contract.Feedback{Observation: contract.Observation{Person: "p", Network: berlin, At: day.Add(time.Hour)}}
	if err := p.Learn(t.Context(), word); err != nil {
		t.Fatal(err)
	}
	if v := assess(t, p, taipei, day.Add(2*time.Hour)); v.LLR != 0 {
		t.Errorf("the person is asked for the intruder's place: %+v", v)
	}
	p.trails.Look("p", day, func(one *person) {
		if one.Jumps != 0 || len(one.Places) != 1 {
			t.Errorf("%+v", one)
		}
	})
	word.Genuine = true
	if err := p.Learn(t.Context(), word); err != nil {
		t.Fatal(err)
	}
	if v := assess(t, p, berlin, day.Add(time.Hour)); v.LLR >= 0 {
		t.Errorf("the genuine journey was not learned: %+v", v)
	}
}

func BenchmarkAssess(b *testing.B) {
	p := newPlugin(world(b, "10.0.0.0/8", "198.51.100.0/24"))
	for n, network := range []string{taipei, kaohsiung, tokyo, berlin, vague} {
		seen(b, p, contract.KindSignIn, network, day.Add(time.Duration(n)*time.Hour))
	}
	o := contract.Observation{Person: "p", Network: berlin, At: day.Add(6 * time.Hour)}
	for b.Loop() {
		if _, err := p.Assess(b.Context(), o); err != nil {
			b.Fatal(err)
		}
	}
}
