package appraisal

import (
	"testing"
	"testing/synctest"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// moved is the laptop's record in another agency.
var moved = wire.Device{ID: "dev-00000000000000000000000003", Agency: "nstc", Name: "LT-1", Status: wire.DeviceActive}

func (f *fixture) attestAs(t *testing.T, dev wire.Device) {
	t.Helper()
	n, err := f.Nonce(t.Context(), dev, channelA)
	if err == nil {
		_, err = f.Attest(t.Context(), dev, channelA, wire.AttestRequest{Ticket: n.Ticket})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestCountersGoAlongAndResultsDoNot, before and after a restart of the PDP.
func TestCountersGoAlongAndResultsDoNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer f.close(t)
		f.attest(t)
		conditions, ops, err := f.Inherit(t.Context(), laptop, moved)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.store.Txn(t.Context(), conditions, ops); err != nil {
			t.Fatal(err)
		}
		for _, when := range []string{"at once", "after a restart"} {
			if got := f.Standing(moved.ID); got.Standing != wire.StandingUnknown || !got.Result.IssuedAt.IsZero() {
				t.Errorf("%s: a result went along: %+v", when, got)
			}
			f.reopen(t)
		}
		var seen *wire.TPMClock
		f.next = func(in Input) wire.Appraised { seen = in.Previous; return healthy(in) }
		f.attestAs(t, moved)
		if seen == nil || *seen != (wire.TPMClock{Clock: 5, ResetCount: 1}) {
			t.Errorf("counters %+v", seen)
		}
	})
}

// TestCountersAreKnownAtOnce: an attacker who comes before a restart does not
// find them fresh.
func TestCountersAreKnownAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer f.close(t)
		f.attest(t)
		if _, _, err := f.Inherit(t.Context(), laptop, moved); err != nil {
			t.Fatal(err)
		}
		var seen *wire.TPMClock
		f.next = func(in Input) wire.Appraised { seen = in.Previous; return healthy(in) }
		f.attestAs(t, moved)
		if seen == nil || seen.Clock != 5 {
			t.Errorf("counters %+v", seen)
		}
	})
}

// TestNewerEvidenceEndsATransfer: what was read is what goes along.
func TestNewerEvidenceEndsATransfer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer f.close(t)
		for _, attested := range []bool{false, true} {
			conditions, ops, err := f.Inherit(t.Context(), laptop, moved)
			if err != nil || (len(ops) == 0) == attested {
				t.Fatalf("%d ops, %v", len(ops), err)
			}
			f.attest(t)
			_, err = f.store.Txn(t.Context(), conditions, append(ops, store.Op{Key: "/v1/x/nstc/x", Value: []byte("1")}))
			if err == nil {
				t.Error("counters that were overtaken went along")
			}
		}
	})
}
