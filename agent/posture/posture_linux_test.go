package posture

import (
	"context"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

func TestThisMachineIsMeasured(t *testing.T) {
	m := Here()
	m.Clock = time.Now
	got := New(m).Measure(t.Context())
	want := []wire.ClaimID{
		wire.ClaimOSRelease, wire.ClaimOSUpdates, wire.ClaimAutoUpdates, wire.ClaimDiskEncryption, wire.ClaimFirewall, wire.ClaimSecureBoot,
		wire.ClaimKernelLockdown, wire.ClaimScreenLock, wire.ClaimAntivirus, wire.ClaimTimeSync, wire.ClaimAdministrators, wire.ClaimUSBStorage,
	}
	if len(got.Claims) != len(want) {
		t.Fatalf("%d claims", len(got.Claims))
	}
	for i, c := range got.Claims {
		if c.ID != want[i] || !c.State.Valid() || c.MeasuredAt.IsZero() || c.Source == "" {
			t.Errorf("%+v", c)
		}
		if c.State == wire.ClaimError && c.Problem == "" {
			t.Errorf("%s: an error without a reason", c.ID)
		}
		t.Logf("%+v", c)
	}
	if got.Claims[0].State != wire.ClaimPass {
		t.Error("os-release is not read")
	}
	if got.Claims[4].State == wire.ClaimPass {
		t.Error("a firewall passed without a helper")
	}
}

func TestACollectorThatFailsIsAnError(t *testing.T) {
	s := &Set{machine: recorded{}.machine(), memory: &memory{}, collectors: []collector{
		{id: wire.ClaimFirewall, source: "x", measure: func(context.Context, Machine) outcome { panic("boom") }},
		{id: wire.ClaimSecureBoot, source: "x", measure: func(context.Context, Machine) outcome { return outcome{} }},
		{id: wire.ClaimOSRelease, source: "x", measure: func(context.Context, Machine) outcome { return outcome{state: "fine"} }},
	}}
	for _, c := range s.Measure(t.Context()).Claims {
		if c.State != wire.ClaimError || c.Problem == "" {
			t.Errorf("%+v", c)
		}
	}
}

func TestPartsOfASet(t *testing.T) {
	all := New(recorded{}.machine())
	only, rest := all.Only(wire.ClaimFirewall).Measure(t.Context()), all.Without(wire.ClaimFirewall).Measure(t.Context())
	if len(only.Claims) != 1 || only.Claims[0].ID != wire.ClaimFirewall || len(rest.Claims) != 11 {
		t.Errorf("%+v, %+v", only, rest)
	}
}

func TestSameLooksAtWhatWasSeenAndNotWhen(t *testing.T) {
	a := wire.Claims{Claims: []wire.Claim{{ID: "a", State: wire.ClaimPass, Value: map[string]string{"x": "1"}, MeasuredAt: time.Unix(1, 0)}}}
	b := wire.Claims{Claims: []wire.Claim{{ID: "a", State: wire.ClaimPass, Value: map[string]string{"x": "1"}, MeasuredAt: time.Unix(2, 0)}}}
	if !Same(a, b) {
		t.Error("only the time differs")
	}
	for _, change := range []func(*wire.Claim){
		func(c *wire.Claim) { c.State = wire.ClaimFail },
		func(c *wire.Claim) { c.Value = map[string]string{"x": "2"} },
		func(c *wire.Claim) { c.Problem = "y" },
		func(c *wire.Claim) { c.ID = "b" },
	} {
		c := b.Claims[0]
		change(&c)
		if Same(a, wire.Claims{Claims: []wire.Claim{c}}) {
			t.Errorf("%+v is not the same", c)
		}
	}
	if Same(a, wire.Claims{}) {
		t.Error("nothing is not the same")
	}
}

func BenchmarkMeasure(b *testing.B) {
	m := Here()
	m.Clock = time.Now
	s := New(m)
	for b.Loop() {
		s.Measure(b.Context())
	}
}
