package verifier_test

import (
	"strings"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/verifier"
)

func TestCountersThatFall(t *testing.T) {
	b := machine(t, first)
	d := enrolled(t, b)
	in := d.input(t, goodClaims(t))
	seen := verifier.Appraise(in).Clock
	for name, c := range map[string]struct {
		previous wire.TPMClock
		want     string
	}{
		"the same":        {seen, ""},
		"a reset later":   {change(seen, func(c *wire.TPMClock) { c.ResetCount-- }), ""},
		"reset count":     {change(seen, func(c *wire.TPMClock) { c.ResetCount++ }), reason.ResetCountFell},
		"restart count":   {change(seen, func(c *wire.TPMClock) { c.RestartCount++ }), reason.RestartCountFell},
		"clock":           {change(seen, func(c *wire.TPMClock) { c.Clock++ }), reason.ClockFell},
		"firmware":        {change(seen, func(c *wire.TPMClock) { c.FirmwareVersion++ }), reason.FirmwareFell},
		"firmware higher": {change(seen, func(c *wire.TPMClock) { c.FirmwareVersion-- }), ""},
	} {
		in := in
		in.Previous = &c.previous
		r := verifier.Appraise(in)
		wanted := noBoot
		vector := wire.TrustVector{InstanceIdentity: wire.Affirming, Hardware: wire.Affirming, Configuration: wire.Warning}
		if c.want != "" {
			wanted = "rolled-back/" + c.want + " " + wanted
			if c.want == reason.FirmwareFell {
				vector.Hardware = wire.Warning
			} else {
				vector.InstanceIdentity = wire.Warning
			}
			if f := r.Findings[0]; f.Expected == "" || f.Seen == "" {
				t.Errorf("%s: expected %q, seen %q", name, f.Expected, f.Seen)
			}
		}
		if codes(r) != wanted || r.Vector != vector || r.Clock != seen {
			t.Errorf("%s: %+v %s", name, r.Vector, codes(r))
		}
	}
}

func change(c wire.TPMClock, f func(*wire.TPMClock)) wire.TPMClock {
	f(&c)
	return c
}

// A real power cut: the reset count grows, the clock may lose what was not
// written, and that is no finding. Its state put back from a copy is.
func TestPowerCutAndStatePutBack(t *testing.T) {
	b, err := manufacture("put-back") // its own: it is switched off and on
	if err != nil {
		t.Fatal(err)
	}
	copied := readState(t, b)
	ek := b.persistentEK(t, p384EK)
	made, err := tpm2.Create{ParentHandle: ek.auth(), InPublic: tpm2.New2B(signing(true))}.Execute(b.tpm)
	if err != nil {
		t.Fatal(err)
	}
	load := func() object {
		loaded, err := tpm2.Load{ParentHandle: ek.auth(), InPrivate: made.OutPrivate, InPublic: made.OutPublic}.Execute(b.tpm)
		if err != nil {
			t.Fatal(err)
		}
		return object{handle: loaded.ObjectHandle, name: loaded.Name, public: made.OutPublic.Bytes()}
	}
	appraise := func(previous *wire.TPMClock) wire.Appraised {
		d := pin(t, b, ek, load())
		in := d.input(t, goodClaims(t))
		in.Previous = previous
		return verifier.Appraise(in)
	}
	first := appraise(nil)
	if err := b.run.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := appraise(&first.Clock)
	if second.Clock.ResetCount <= first.Clock.ResetCount || second.Vector.InstanceIdentity != wire.Affirming {
		t.Errorf("after a power cut: %+v %s", second.Clock, codes(second))
	}
	for range 2 {
		if err := b.run.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	third := appraise(&second.Clock)
	if err := b.run.Stop(); err != nil {
		t.Fatal(err)
	}
	writeState(t, b, copied)
	if err := b.run.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	back := appraise(&third.Clock)
	if !strings.HasPrefix(codes(back), "rolled-back/"+reason.ResetCountFell) || back.Vector.InstanceIdentity != wire.Warning {
		t.Errorf("after the state was put back: %+v %s", back.Clock, codes(back))
	}
}
