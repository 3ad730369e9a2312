package main

import (
	"bytes"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/plugins/contract"
)

var morning = time.Date(2026, 11, 2, 1, 0, 0, 0, time.UTC)

func activity(person string, n int, requests uint64) contract.Observation {
	return contract.Observation{
		Kind: contract.KindActivity, Person: person, At: morning.Add(time.Duration(n) * time.Minute),
		Requests: requests, Over: time.Minute,
	}
}

func teach(t testing.TB, r *requestRate, all ...contract.Observation) int {
	t.Helper()
	learned, err := r.Observe(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	return learned
}

// usually teaches so many minutes of four to eight requests each.
func usually(t testing.TB, r *requestRate, person string, minutes int) {
	t.Helper()
	for n := range minutes {
		teach(t, r, activity(person, n, 4+uint64(n%5)))
	}
}

func assess(t testing.TB, r *requestRate, o contract.Observation) contract.Verdict {
	t.Helper()
	o.Kind = contract.KindSituation
	v, err := r.Assess(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func silent(person string, n int) contract.Observation {
	o := activity(person, n, 0)
	o.Over = 0
	return o
}

func TestAUsualRateSaysNothing(t *testing.T) {
	r := newPlugin()
	usually(t, r, "p", 200)
	for _, o := range []contract.Observation{activity("p", 200, 6), activity("p", 200, 0), silent("p", 200)} {
		if v := assess(t, r, o); v.Abstained || v.LLR != 0 || v.Reasons[0].Code != reasonUsual || v.Confidence < 0.9 {
			t.Errorf("%d over %v: %+v", o.Requests, o.Over, v)
		}
	}
}

func TestTheHigherTheRateTheSoonerItIsSeen(t *testing.T) {
	for _, c := range []struct {
		requests      uint64
		after, atMost int // pieces of activity until it speaks against
	}{{600, 1, 2}, {60, 2, 4}, {20, 3, 20}} {
		r := newPlugin()
		usually(t, r, "p", 200)
		seen := 0
		for n := 1; n <= 60 && seen == 0; n++ {
			teach(t, r, activity("p", 200+n, c.requests))
			if assess(t, r, silent("p", 200+n)).LLR < 0 {
				seen = n
			}
		}
		if seen < c.after || seen > c.atMost {
			t.Errorf("%d requests a minute are seen after %d", c.requests, seen)
		}
	}
}

func TestTheSessionSoFarIsSeenBeforeItIsTaught(t *testing.T) {
	r := newPlugin()
	usually(t, r, "p", 200)
	v := assess(t, r, activity("p", 201, 5000))
	if want := -(maxZ - 0.5 - price); v.LLR != want || v.Reasons[0].Code != reasonFast || v.Reasons[0].Args["percent"] != "138" {
		t.Errorf("by hand %.2f, got %+v", want, v)
	}
	// Two seconds say nothing of a rate.
	short := activity("p", 201, 5000)
	short.Over = 2 * time.Second
	if v := assess(t, r, short); v.LLR != 0 {
		t.Errorf("%+v", v)
	}
}

func TestTheFormulaByHand(t *testing.T) {
	r := newPlugin()
	for n := range minActivity {
		teach(t, r, activity("p", n, 9)) // x = ln 10, always: m = ln 10, v = 0, σ = ½
	}
	teach(t, r, activity("p", minActivity, 49)) // z = (ln 50 − ln 10)/½ = 2·ln 5
	want := 2*math.Log(5) - 0.5
	r.Look("p", morning, func(u *usual) {
		step := 1.0 // two deviations of a half
		gain := 1 / float64(minActivity+1)
		if math.Abs(u.Sum-want) > 1e-12 || math.Abs(u.Mean-math.Log(10)-gain*step) > 1e-12 ||
			math.Abs(u.Variance-(1-gain)*gain*step*step) > 1e-12 {
			t.Errorf("by hand S = %.4f, kept %+v", want, u)
		}
	})
	// The next one adds to what is left of S after a minute.
	r.Look("p", morning, func(u *usual) {
		left := want * math.Exp2(-1.0/(12*60))
		want = left + (math.Log(50)-u.Mean)/0.5 - 0.5
	})
	teach(t, r, activity("p", minActivity+1, 49))
	v := assess(t, r, silent("p", minActivity+1))
	if math.Abs(v.LLR+want-price) > 1e-12 || v.LLR >= 0 {
		t.Errorf("by hand %.4f, got %.4f", price-want, v.LLR)
	}
}

func TestAnAlarmFadesWithTimeAndWithUsualActivity(t *testing.T) {
	r := newPlugin()
	usually(t, r, "p", 200)
	for n := range 10 {
		teach(t, r, activity("p", 200+n, 600))
	}
	alarm := assess(t, r, silent("p", 210))
	if alarm.LLR != -limit {
		t.Fatalf("%+v", alarm)
	}
	if later := assess(t, r, silent("p", 210+36*60)); later.LLR != 0 {
		t.Errorf("36 hours later: %+v", later)
	}
	n := 210
	for ; assess(t, r, silent("p", n)).LLR < 0 && n < 300; n++ {
		teach(t, r, activity("p", n, 5))
	}
	if n == 300 || n < 213 {
		t.Errorf("over after %d usual minutes", n-210)
	}
}

func TestABurstShiftsWhatIsUsualByLittle(t *testing.T) {
	r := newPlugin()
	usually(t, r, "p", 200)
	before := 0.0
	r.Look("p", morning, func(u *usual) { before = u.Mean })
	for n := range 5 {
		teach(t, r, activity("p", 200+n, math.MaxUint64))
	}
	r.Look("p", morning, func(u *usual) {
		if u.Mean-before > 5*minGain*clip*u.deviation()+1e-9 {
			t.Errorf("from %.2f to %.2f by five pieces of activity", before, u.Mean)
		}
	})
}

func TestWhatDoesNotTeach(t *testing.T) {
	r := newPlugin()
	one := activity("p", 1, 5)
	signIn := activity("p", 2, 5)
	signIn.Kind = contract.KindSignIn
	if learned := teach(t, r, one, one, activity("p", 0, 5), silent("p", 3), signIn); learned != 1 {
		t.Errorf("learned %d", learned)
	}
	for n := range minActivity - 1 {
		if v := assess(t, r, activity("p", 20, 1_000_000)); !v.Abstained || v.LLR != 0 || v.Reasons[0].Code != reasonNoHistory {
			t.Errorf("after %d: %+v", n+1, v)
		}
		teach(t, r, activity("p", n+2, 5))
	}
	if v := assess(t, r, activity("p", 20, 1_000_000)); v.Abstained {
		t.Errorf("%+v", v)
	}
}

func TestWhatCameBeforeAnythingWasUsualAlarmsNobody(t *testing.T) {
	r := newPlugin()
	for n := range minActivity {
		teach(t, r, activity("p", n, []uint64{5, 600}[n*2/minActivity]))
	}
	if v := assess(t, r, silent("p", minActivity)); v.Abstained || v.LLR != 0 {
		t.Errorf("%+v", v)
	}
}

func TestAnOfficersWordEndsAnAlarm(t *testing.T) {
	r := newPlugin()
	usually(t, r, "p", 50)
	for n := range 10 {
		teach(t, r, activity("p", 50+n, 600))
	}
	for _, genuine := range []bool{false, true} {
		if err := r.Learn(t.Context(), contract.Feedback{Observation: silent("p", 60), Genuine: genuine}); err != nil {
			t.Fatal(err)
		}
		if v := assess(t, r, silent("p", 60)); (v.LLR == 0) != genuine {
			t.Errorf("genuine %v: %+v", genuine, v)
		}
	}
}

func TestBoundsHold(t *testing.T) {
	r := newPlugin()
	usually(t, r, "p", 30)
	for n := range maxPeople {
		teach(t, r, activity(fmt.Sprint(n), 60, 5))
	}
	if v := assess(t, r, activity("p", 60, 5)); r.Len() != maxPeople || !v.Abstained {
		t.Errorf("%d kept, the person taught longest ago: %+v", r.Len(), v)
	}
	usually(t, r, "q", 120)
	end := activity("q", 120, 5)
	end.At = morning.Add(119*time.Minute + retention)
	if v := assess(t, r, end); !v.Abstained {
		t.Errorf("after the retention: %+v", v)
	}
	// What another program wrote is put into bounds.
	wild := `{"person":"p","taught":"2026-11-02T01:00:00Z","state":{"at":"2026-11-02T01:00:00Z","n":99999999,"mean":-1e300,"variance":-1,"sum":1e300}}`
	if err := r.Import(bytes.NewBufferString(wild)); err != nil {
		t.Fatal(err)
	}
	if v := assess(t, r, activity("p", 0, 5)); v.LLR != -limit || v.Confidence > 1 {
		t.Errorf("%+v", v)
	}
}

func FuzzAssess(f *testing.F) {
	f.Add(uint64(5), int64(time.Minute), uint64(math.MaxUint64), int64(math.MaxInt64), 40)
	f.Add(uint64(0), int64(-1), uint64(0), int64(math.MinInt64), 0)
	f.Fuzz(func(t *testing.T, taught uint64, over int64, now uint64, span int64, times int) {
		r := newPlugin()
		for n := range max(0, min(times, 100)) {
			o := activity("p", n, taught+uint64(n))
			o.Over = time.Duration(over)
			teach(t, r, o)
		}
		o := activity("p", 100, now)
		o.Over = time.Duration(span)
		v := assess(t, r, o)
		if math.IsNaN(v.LLR) || v.LLR > 0 || v.LLR < -limit || v.Confidence < 0 || v.Confidence > 1 || v.Abstained && v.LLR != 0 {
			t.Errorf("%+v", v)
		}
	})
}

func BenchmarkAssess(b *testing.B) {
	r := newPlugin()
	usually(b, r, "p", 200)
	o := activity("p", 201, 600)
	for b.Loop() {
		assess(b, r, o)
	}
}
