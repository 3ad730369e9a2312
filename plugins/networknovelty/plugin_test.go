package main

import (
	"fmt"
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
		"IPv4": {"192.0.2.7", "192.0.2.200", "192.0.77.7", "203.0.113.9"},
		"IPv6": {"2001:db8:1:2::7", "2001:db8:1:3::7", "2001:db8:9:9::7", "2001:470::7"},
	} {
		n := newPlugin()
		teach(t, n, "p", ips[0], 6, day)
		last := math.Inf(1)
		for _, ip := range ips {
			v := assess(t, n, "p", ip)
			if v.Abstained || v.LLR >= last && last < limit {
				t.Errorf("%s: %s scores %.2f after %.2f", name, ip, v.LLR, last)
			}
			last = v.LLR
		}
		if last >= 0 {
			t.Errorf("%s: a new network speaks for the person: %.2f", name, last)
		}
	}
}

func TestALongerHistoryMakesANewNetworkWorse(t *testing.T) {
	last, lastConfidence := 0.0, 0.0
	for times := 1; times <= maxSignIns; times *= 2 {
		n := newPlugin()
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
	n := newPlugin()
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
	n := newPlugin()
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
	n := newPlugin()
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
	n := newPlugin()
	one := contract.Observation{Person: "p", Network: "192.0.2.7", At: day, Kind: contract.KindSignIn}
	failed := one
	failed.Kind = contract.KindFailedSignIn
	bad := one
	bad.Network = "nowhere"
	learned, err := n.Observe(t.Context(), []contract.Observation{failed, bad, one, one})
	if err != nil || learned != 1 {
		t.Errorf("learned %d, %v", learned, err)
	}
}

func TestBoundsHold(t *testing.T) {
	n := newPlugin()
	teach(t, n, "p", "192.0.2.7", 10*maxSignIns, day)
	if got := len(n.history.people["p"].Value.(*person).signIns); got != maxSignIns {
		t.Errorf("%d sign-ins kept", got)
	}
	for i := range maxPeople + 10 {
		teach(t, n, fmt.Sprint(i), fmt.Sprintf("10.%d.%d.1", i>>8&255, i&255), 1, day)
	}
	if len(n.history.people) != maxPeople || n.history.recent.Len() != maxPeople {
		t.Errorf("%d people kept", len(n.history.people))
	}
	if v := assess(t, n, "p", "192.0.2.7"); !v.Abstained {
		t.Error("the person taught longest ago was not forgotten")
	}
	// Whatever was forgotten is no longer counted.
	total := 0
	for e := n.history.recent.Front(); e != nil; e = e.Next() {
		total += len(e.Value.(*person).signIns)
	}
	if total != n.history.total {
		t.Errorf("counted %d, kept %d", n.history.total, total)
	}
	for prefix, count := range n.history.everybody {
		if count <= 0 {
			t.Fatalf("%v counts %d", prefix, count)
		}
	}
}

func FuzzAssess(f *testing.F) {
	f.Add("192.0.2.7", "203.0.113.9", 3)
	f.Add("2001:db8::1", "::ffff:192.0.2.7", 1)
	f.Add("fe80::1%eth0", "", 0)
	f.Fuzz(func(t *testing.T, home, now string, times int) {
		n := newPlugin()
		teach(t, n, "p", home, max(0, min(times, 40)), day)
		v := assess(t, n, "p", now)
		if math.IsNaN(v.LLR) || math.Abs(v.LLR) > limit || v.Confidence < 0 || v.Confidence > 1 || v.Abstained && v.LLR != 0 {
			t.Errorf("%+v", v)
		}
	})
}

func BenchmarkAssess(b *testing.B) {
	n := newPlugin()
	for i := range maxSignIns {
		o := contract.Observation{Person: "p", Network: "192.0.2.7", At: day.Add(time.Duration(i) * time.Hour), Kind: contract.KindSignIn}
		if _, err := n.Observe(b.Context(), []contract.Observation{o}); err != nil {
			b.Fatal(err)
		}
	}
	o := contract.Observation{Person: "p", Network: "203.0.113.9", At: day.Add(40 * time.Hour)}
	for b.Loop() {
		if _, err := n.Assess(b.Context(), o); err != nil {
			b.Fatal(err)
		}
	}
}
