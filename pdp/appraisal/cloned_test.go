package appraisal

import (
	"testing"
	"testing/synctest"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

func copied(Input) wire.Appraised {
	return wire.Appraised{AttestationResult: wire.AttestationResult{
		Vector:   wire.TrustVector{InstanceIdentity: wire.Contraindicated},
		Findings: []wire.Finding{{Type: wire.FindingRolledBack, Reason: reason.New(reason.SoftwareCloned)}},
	}}
}

// TestACopyStaysOne: whatever comes between, a restart and a transfer too, the
// Verifier is told that there are two of the device.
func TestACopyStaysOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer func() { f.close(t) }()
		told := func(dev wire.Device, next func(Input) wire.Appraised) bool {
			var cloned bool
			f.next = func(in Input) wire.Appraised { cloned = in.Cloned; return next(in) }
			f.attestAs(t, dev)
			return cloned
		}
		if told(laptop, healthy) || told(laptop, copied) {
			t.Error("a copy was told of before there was one")
		}
		f.wants(t, wire.StandingRefused)
		if !told(laptop, forged) || !told(laptop, healthy) {
			t.Error("the copy is forgotten")
		}
		f.reopen(t)
		if !told(laptop, healthy) {
			t.Error("the copy is forgotten after a restart")
		}
		conditions, ops, err := f.Inherit(t.Context(), laptop, moved)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.store.Txn(t.Context(), conditions, ops); err != nil {
			t.Fatal(err)
		}
		if !told(moved, healthy) {
			t.Error("a transfer washed the copy clean")
		}
		if told(other, healthy) {
			t.Error("another device is a copy")
		}
	})
}
