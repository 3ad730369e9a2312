package session

import (
	"strconv"
	"testing"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Each class has decisions of its own, told to the engine, and a known one
// costs no allocation.
func TestADecisionForEachClass(t *testing.T) {
	b := newBench(t)
	cookie := b.create(who{})
	var seen []string
	b.set(func(s Subject, _ wire.Action) (wire.Facts, wire.Decision, error) {
		seen = append(seen, s.Request.Class)
		d := wire.Decision{Effect: wire.Allow, ValidUntil: b.now.AddDate(1, 0, 0)}
		if s.Request.Class == "payroll" {
			d = wire.Decision{Reasons: []wire.Reason{{Code: "ZT-POL-001"}}, ValidUntil: d.ValidUntil}
		}
		return wire.Facts{}, d, nil
	})
	q := ask(cookie, office, wire.ActionRead)
	for range 3 {
		for class, outcome := range map[string]wire.AccessOutcome{"": wire.AccessGranted, "payroll": wire.AccessRefused, "help": wire.AccessGranted} {
			q.Class = class
			if got := b.Authorize(t.Context(), q); got.Outcome != outcome {
				t.Errorf("%q: %d", class, got.Outcome)
			}
			if got, ok := b.Peek(q); !ok || got.Outcome != outcome {
				t.Errorf("%q: Peek %d %v", class, got.Outcome, ok)
			}
		}
	}
	if len(seen) != 3 {
		t.Errorf("decided for %q", seen)
	}
	q.Class = "help"
	if n := testing.AllocsPerRun(100, func() { b.Authorize(t.Context(), q) }); n != 0 {
		t.Errorf("%v allocations a request", n)
	}
	b.PersonChanged("per-1")
	for _, class := range []string{"", "payroll", "help"} {
		q.Class = class
		b.Authorize(t.Context(), q)
	}
	if len(seen) != 6 {
		t.Errorf("after a change decided for %q", seen)
	}
}

// A session keeps no more classes than a portal may have, whatever was asked.
func TestClassesAreBounded(t *testing.T) {
	b := newBench(t)
	q := ask(b.create(who{}), office, wire.ActionRead)
	for i := range 3 * wire.MaxClasses {
		q.Class = "c" + strconv.Itoa(i)
		b.want(b.Authorize(t.Context(), q), wire.AccessGranted, "")
	}
	at := b.live.get(&q.CookieHash).places[0]
	if n := len(*at.classes.known.Load()); n > wire.MaxClasses {
		t.Errorf("%d classes are kept", n)
	}
	if _, _, ok := b.LastRefused(q); ok {
		t.Error("something was refused")
	}
}
