package policy

import (
	"fmt"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

func TestADecisionEndsWithTheEarliestOfItsInputs(t *testing.T) {
	far := func(f *wire.Facts) {
		f.Standing.ChangesAt, f.Standing.Result.ValidUntil = at.Add(time.Hour), at.Add(time.Hour)
		f.Trust.ValidUntil = at.Add(time.Hour)
		f.SignIn.At, f.Binding.At = at.Add(-3*time.Hour), at.Add(-3*time.Hour)
	}
	tests := map[string]struct {
		set  func(*wire.Facts)
		want time.Time
	}{
		"nothing ends":           {func(*wire.Facts) {}, at.Add(MaxLife)},
		"standing":               {func(f *wire.Facts) { f.Standing.ChangesAt = at.Add(20 * time.Second) }, at.Add(20 * time.Second)},
		"result":                 {func(f *wire.Facts) { f.Standing.Result.ValidUntil = at.Add(21 * time.Second) }, at.Add(21 * time.Second)},
		"trust":                  {func(f *wire.Facts) { f.Trust.ValidUntil = at.Add(22 * time.Second) }, at.Add(22 * time.Second)},
		"host":                   {func(f *wire.Facts) { hosted(f); f.Host.ChangesAt = at.Add(26 * time.Second) }, at.Add(26 * time.Second)},
		"12 h of sign-in":        {func(f *wire.Facts) { f.SignIn.At = at.Add(-12*time.Hour + 23*time.Second) }, at.Add(23 * time.Second)},
		"12 h of binding":        {func(f *wire.Facts) { f.Binding.At = at.Add(-12*time.Hour + 24*time.Second) }, at.Add(24 * time.Second)},
		"ten minutes of a key":   {func(f *wire.Facts) { f.SignIn.At = at.Add(-9*time.Minute - 35*time.Second) }, at.Add(25 * time.Second)},
		"a reported risk":        {func(f *wire.Facts) { f.Risk.ChangesAt = at.Add(27 * time.Second) }, at.Add(27 * time.Second)},
		"past ends do not count": {func(f *wire.Facts) { f.Trust.ValidUntil = at.Add(-time.Second) }, at.Add(MaxLife)},
	}
	e := baseline(t)
	for name, tt := range tests {
		f := good(wire.PortalNormal)
		far(&f)
		tt.set(&f)
		if d := e.Decide(f, wire.ActionRead, at); !d.ValidUntil.Equal(tt.want) {
			t.Errorf("%s: ends %v, want %v", name, d.ValidUntil.Sub(at), tt.want.Sub(at))
		}
	}
}

// While a decision is valid, deciding again with the same inputs gives the same.
func TestADecisionHoldsWhileItIsValid(t *testing.T) {
	e := baseline(t)
	for _, back := range []time.Duration{0, 595 * time.Second, 12*time.Hour - 30*time.Second} {
		for _, score := range []int{10, 45, 90} {
			f := good(wire.PortalNormal)
			f.SignIn.At, f.Trust.Score = at.Add(-back), score
			first := e.Decide(f, wire.ActionWrite, at)
			last := e.Decide(f, wire.ActionWrite, first.ValidUntil.Add(-time.Millisecond))
			if first.Effect != last.Effect {
				t.Errorf("%v, score %d: %v turned into %v before its end", back, score, first.Effect, last.Effect)
			}
		}
	}
}

// decided is what lasts while a decision does.
func decided(d wire.Decision) string {
	return fmt.Sprint(d.Effect, d.Obligations, codes(d.Reasons))
}

// TestTheClockOnTheWallEndsADecision walks from end to end through some days:
// every decision holds until it says that it ends, to the last moment.
func TestTheClockOnTheWallEndsADecision(t *testing.T) {
	for name, condition := range map[string]string{
		"the baseline's": "false",
		"<=":             "context.time.minuteOfDay <= 1261",
		"in a set":       "[1258, 1263].contains(context.time.minuteOfDay)",
		"turned round":   "1257 > context.time.minuteOfDay",
		"weekday":        "context.time.weekday == 6",
	} {
		e := withPolicy(t, `@id("x") @reason("ZT-POL-061") forbid (principal, action, resource) when { `+condition+` };`)
		decide := func(now time.Time) wire.Decision { // as if everything but the wall clock stood still
			f := good(wire.PortalSensitive)
			f.SignIn.At, f.Binding.At = now.Add(-6*time.Minute), now.Add(-6*time.Minute)
			f.Standing.ChangesAt, f.Standing.Result.ValidUntil, f.Trust.ValidUntil = now.Add(time.Hour), now.Add(time.Hour), now.Add(time.Hour)
			return e.Decide(f, wire.ActionWrite, now)
		}
		seen := map[string]bool{}
		friday := time.Date(2026, 11, 27, 20, 50, 0, 0, taiwan)
		for now := friday; now.Before(friday.Add(27 * time.Hour)); {
			d := decide(now)
			seen[decided(d)] = true
			if last := decide(d.ValidUntil.Add(-time.Nanosecond)); decided(last) != decided(d) {
				t.Fatalf("%s: at %v %s, and %s before its end at %v", name, now.In(taiwan), decided(d), decided(last), d.ValidUntil.In(taiwan))
			}
			now = d.ValidUntil
		}
		if len(seen) < 2 {
			t.Errorf("%s: nothing ever changed: %v", name, seen)
		}
	}
}

// Where policies calculate with the time, nobody knows when they turn.
func TestDecisionsOfPoliciesThatCalculateWithTimeAreShort(t *testing.T) {
	for condition, short := range map[string]bool{
		"context.signIn.ageSeconds + 60 > 4000":                                       true,
		"context.signIn.ageSeconds < context.binding.ageSeconds":                      true,
		"context.time.minuteOfDay == context.trust.score":                             true,
		"-context.signIn.ageSeconds < -4000":                                          true,
		"(if principal.admin then context.signIn else context.signIn).ageSeconds > 9": true,
		"context.time == {minuteOfDay: 4, weekday: 4}":                                true,
		"context.signIn.ageSeconds > 40000":                                           false,
		"context.trust.score + 1 > 101":                                               false,
		"context.time.weekday == 7 && context.time.minuteOfDay > 3":                   false,
	} {
		e := withPolicy(t, `@id("x") @reason("ZT-POL-061") forbid (principal, action, resource) when { `+condition+` };`)
		f := good(wire.PortalNormal)
		f.Standing.ChangesAt, f.Standing.Result.ValidUntil, f.Trust.ValidUntil = at.Add(time.Hour), at.Add(time.Hour), at.Add(time.Hour)
		if got := e.Decide(f, wire.ActionRead, at).ValidUntil.Sub(at) <= shortLife; got != short {
			t.Errorf("%s: short %v", condition, got)
		}
	}
}
