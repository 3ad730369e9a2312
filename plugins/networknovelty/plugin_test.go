package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/plugins/contract"
)

var day = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

func teach(t *testing.T, n *networkNovelty, person, ip string, times int, from time.Time) {
	t.Helper()
	for i := range times {
		o := contract.Observation{Person: person, Network: ip, At: from.Add(time.Duration(i) * time.Hour), Kind: contract.KindSignIn}
		if _, err := n.Observe(t.Context(), []contract.Observation{o}); err != nil {
			t.Fatal(err)
		}
	}
}

func assess(t *testing.T, n *networkNovelty, person, ip string) contract.Verdict {
	t.Helper()
	v, err := n.Assess(t.Context(), contract.Observation{Person: person, Network: ip, At: day.Add(40 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestTheNearerTheBetter(t *testing.T) {
	for name, ips := range map[string][]string{
		"IPv4": {"192.0.2.7", "192.0.77.7", "203.0.113.9"},
		"IPv6": {"2001:db8:1:200::7", "2001:db8:9:900::7", "2001:470::7"},
	} {
		n := newPlugin(places{})
		teach(t, n, "p", ips[0], 6, day)
		last := math.Inf(1)
		for _, ip := range ips {
			v := assess(t, n, "p", ip)
			if v.Abstained || v.LLR >= last {
				t.Errorf("%s: %s scores %.2f after %.2f", name, ip, v.LLR, last)
			}
			last = v.LLR
		}
		if last >= 0 {
			t.Errorf("%s: a new network speaks for the person: %.2f", name, last)
		}
	}
}

func TestWithinTheNetworkAllIsOne(t *testing.T) {
	for first, second := range map[string]string{"192.0.2.7": "192.0.2.200", "2001:db8:1:200::7": "2001:db8:1:2ff::1", "::ffff:192.0.2.7": "192.0.2.9"} {
		n := newPlugin(places{})
		teach(t, n, "p", first, 6, day)
		if a, b := assess(t, n, "p", first), assess(t, n, "p", second); a.LLR != b.LLR || b.Reasons[0].Code != reasonKnown {
			t.Errorf("%s %.2f, %s %.2f (%s)", first, a.LLR, second, b.LLR, b.Reasons[0].Code)
		}
	}
}

func TestALongerHistoryMakesANewNetworkWorse(t *testing.T) {
	last, lastConfidence := 0.0, 0.0
	for times := 1; times <= maxSignIns; times *= 2 {
		n := newPlugin(places{})
		teach(t, n, "p", "192.0.2.7", times, day)
		v := assess(t, n, "p", "203.0.113.9")
		if v.LLR >= last || v.Confidence <= lastConfidence {
			t.Errorf("after %d sign-ins %.2f (%.2f), before %.2f (%.2f)", times, v.LLR, v.Confidence, last, lastConfidence)
		}
		if want := -math.Log(float64(times) + 1); math.Abs(v.LLR-want) > 1e-9 {
			t.Errorf("by hand %.4f, got %.4f", want, v.LLR)
		}
		last, lastConfidence = v.LLR, v.Confidence
	}
}

func TestMoreSignInsFromANetworkNeverMakeItWorse(t *testing.T) {
	n := newPlugin(places{})
	for i := range 40 {
		teach(t, n, fmt.Sprintf("colleague%d", i), "192.0.2.7", 3, day)
	}
	teach(t, n, "p", "203.0.113.9", 4, day)
	last := math.Inf(-1)
	for i := range 10 {
		v := assess(t, n, "p", "192.0.2.7")
		if v.LLR < last {
			t.Errorf("after %d: %.3f falls below %.3f", i, v.LLR, last)
		}
		last = v.LLR
		teach(t, n, "p", "192.0.2.7", 1, day.Add(time.Duration(i+4)*time.Hour))
	}
}

func TestASharedOfficeSaysLessThanAHome(t *testing.T) {
	n := newPlugin(places{})
	for i := range 50 {
		teach(t, n, fmt.Sprintf("colleague%d", i), "192.0.2.7", 5, day)
	}
	teach(t, n, "p", "192.0.2.7", 3, day)
	teach(t, n, "p", "203.0.113.9", 3, day.Add(3*time.Hour))
	office, home := assess(t, n, "p", "192.0.2.7"), assess(t, n, "p", "203.0.113.9")
	if office.LLR >= home.LLR || office.LLR <= 0 || office.LLR > 3 {
		t.Errorf("office %.2f, home %.2f", office.LLR, home.LLR)
	}
}

func TestAbstains(t *testing.T) {
	n := newPlugin(places{})
	teach(t, n, "p", "192.0.2.7", 1, day)
	for name, o := range map[string]contract.Observation{
		"no history":      {Person: "q", Network: "192.0.2.7", At: day.Add(time.Hour)},
		"no address":      {Person: "p", At: day.Add(time.Hour)},
		"nonsense":        {Person: "p", Network: "192.0.2.7/24", At: day.Add(time.Hour)},
		"history too old": {Person: "p", Network: "192.0.2.7", At: day.Add(retention + time.Hour)},
		"before history":  {Person: "p", Network: "192.0.2.7", At: day.Add(-time.Hour)},
	} {
		v, err := n.Assess(t.Context(), o)
		if err != nil || !v.Abstained || v.LLR != 0 || len(v.Reasons) != 1 {
			t.Errorf("%s: %+v %v", name, v, err)
		}
	}
}

func TestWhatDoesNotTeach(t *testing.T) {
	n := newPlugin(places{})
	one := contract.Observation{Person: "p", Network: "192.0.2.7", At: day, Kind: contract.KindSignIn}
	for name, change := range map[string]func(*contract.Observation){
		"a failure":     func(o *contract.Observation) { o.Kind = contract.KindFailedSignIn },
		"a situation":   func(o *contract.Observation) { o.Kind = contract.KindSituation },
		"what was done": func(o *contract.Observation) { o.Kind = contract.KindActivity },
		"no network":    func(o *contract.Observation) { o.Network = "nowhere" },
	} {
		o := one
		change(&o)
		if learned, err := n.Observe(t.Context(), []contract.Observation{o}); err != nil || learned != 0 {
			t.Errorf("%s taught %d, %v", name, learned, err)
		}
	}
	if learned, err := n.Observe(t.Context(), []contract.Observation{one, one}); err != nil || learned != 1 {
		t.Errorf("one that came twice taught %d, %v", learned, err)
	}
}

func TestBoundsHold(t *testing.T) {
	n := newPlugin(places{})
	teach(t, n, "p", "192.0.2.7", 10*maxSignIns, day)
	if got := kept(n, "p"); got != maxSignIns {
		t.Errorf("%d sign-ins kept", got)
	}
	for i := range maxPeople + 10 {
		teach(t, n, fmt.Sprint(i), fmt.Sprintf("10.%d.%d.1", i>>8&255, i&255), 1, day)
	}
	if n.history.people.Len() != maxPeople {
		t.Errorf("%d people kept", n.history.people.Len())
	}
	if v := assess(t, n, "p", "192.0.2.7"); !v.Abstained {
		t.Error("the person taught longest ago was not forgotten")
	}
	countsHold(t, n)
}

func kept(n *networkNovelty, name string) (signIns int) {
	n.history.people.Look(name, day, func(p *person) { signIns = len(p.SignIns) })
	return signIns
}

// countsHold compares what is counted over everybody with what is kept.
func countsHold(t *testing.T, n *networkNovelty) {
	t.Helper()
	var state bytes.Buffer
	if err := n.Export(&state); err != nil {
		t.Fatal(err)
	}
	want, total := map[value]int{}, 0
	for line := range bytes.Lines(state.Bytes()) {
		var one struct{ State person }
		if err := json.Unmarshal(line, &one); err != nil {
			t.Fatal(err)
		}
		for _, s := range one.State.SignIns {
			total++
			for level := range depth {
				if v, known := n.history.where.of(s.Network.Addr()).at(level); known {
					want[v]++
				}
			}
		}
	}
	if total != n.history.total || !maps.Equal(want, n.history.everybody) {
		t.Errorf("counted %d sign-ins from %d places, kept %d from %d", n.history.total, len(n.history.everybody), total, len(want))
	}
}

func FuzzAssess(f *testing.F) {
	f.Add("192.0.2.7", "203.0.113.9", 3)
	f.Add("2001:db8::1", "::ffff:192.0.2.7", 1)
	f.Add("fe80::1%eth0", "", 0)
	f.Fuzz(func(t *testing.T, home, now string, times int) {
		n := newPlugin(places{})
		teach(t, n, "p", home, max(0, min(times, 40)), day)
		v := assess(t, n, "p", now)
		if math.IsNaN(v.LLR) || math.Abs(v.LLR) > limit || v.Confidence < 0 || v.Confidence > 1 || v.Abstained && v.LLR != 0 {
			t.Errorf("%+v", v)
		}
	})
}

func BenchmarkAssess(b *testing.B) {
	for name, where := range map[string]places{"without a data base": {}, "with data bases": world(b)} {
		b.Run(name, func(b *testing.B) {
			n := newPlugin(where)
			for i := range maxSignIns {
				o := contract.Observation{Person: "p", Network: "192.0.2.7", At: day.Add(time.Duration(i) * time.Hour), Kind: contract.KindSignIn}
				if _, err := n.Observe(b.Context(), []contract.Observation{o}); err != nil {
					b.Fatal(err)
				}
			}
			o := contract.Observation{Person: "p", Network: "81.2.69.0", At: day.Add(40 * time.Hour)}
			for b.Loop() {
				if _, err := n.Assess(b.Context(), o); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
