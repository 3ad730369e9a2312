package policy

import (
	"math"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
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

func TestTheDigestCoversTheFacts(t *testing.T) {
	e := baseline(t)
	f := good(wire.PortalNormal)
	a := e.Decide(f, wire.ActionRead, at)
	if b := e.Decide(f, wire.ActionRead, at); a.InputsDigest != b.InputsDigest || len(a.InputsDigest) != 64 {
		t.Error("the same facts give two digests")
	}
	f.Person.Groups = []string{"hr", "audit"}
	if b := e.Decide(f, wire.ActionRead, at); a.InputsDigest == b.InputsDigest {
		t.Error("other facts give the same digest")
	}
	f.Trust.Nats = math.NaN()
	d := e.Decide(f, wire.ActionRead, at)
	if d.Effect != wire.Deny || d.Reasons[0].Code != reason.BadFacts {
		t.Errorf("facts without a canonical form: %+v", d)
	}
}
