package verifier_test

import (
	"crypto/sha256"
	"reflect"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/verifier"
)

// memory is what a PDP keeps of a device between two Evidences.
type memory struct {
	last    *wire.AttestationResult
	rests   [32]byte
	kept    *wire.Kept
	recalls int
}

func (m *memory) appraise(in verifier.Input) wire.Appraised {
	in.Last, in.Rests = m.last, m.rests
	in.Recall = func() *wire.Kept { m.recalls++; return m.kept }
	out := verifier.Appraise(in)
	if out.Incomplete {
		return out
	}
	m.last, m.rests = &out.AttestationResult, out.Rests
	if out.Kept != nil {
		m.kept = out.Kept
	}
	return out
}

// byDigest replaces what was sent by its digest: the quote covers the same.
func byDigest(in verifier.Input) verifier.Input {
	digest := sha256.Sum256(in.Evidence.Claims)
	in.Evidence.Claims, in.Evidence.ClaimsDigest = nil, digest[:]
	return in
}

func TestUnchangedClaimsByDigest(t *testing.T) {
	d := enrolled(t, machine(t, first))
	var m memory
	first := m.appraise(d.input(t, goodClaims(t)))
	if first.Kept == nil || first.Rests == [32]byte{} || m.recalls != 1 {
		t.Fatalf("%+v", first)
	}
	in := byDigest(d.input(t, goodClaims(t)))
	in.IssuedAt, in.Now = noon.Add(5*time.Minute), noon.Add(5*time.Minute+time.Second)
	second := m.appraise(in)
	if second.Kept != nil || m.recalls != 1 || second.Vector != first.Vector || codes(second) != codes(first) {
		t.Errorf("an unchanged device was read again: %+v", second)
	}
	if !second.IssuedAt.Equal(in.IssuedAt) || !second.ValidUntil.Equal(in.IssuedAt.Add(15*time.Minute)) || second.Clock.Clock <= first.Clock.Clock {
		t.Errorf("the judgement is as old as the last: %+v", second)
	}
	for i, c := range second.Claims {
		if !c.MeasuredAt.Equal(in.IssuedAt) || c.State != first.Claims[i].State || first.Claims[i].MeasuredAt.Equal(c.MeasuredAt) {
			t.Errorf("%+v", c)
		}
	}
	// New rules are applied to what is kept.
	in = byDigest(d.input(t, goodClaims(t)))
	in.Rules = verifier.Rules{Version: "2"}
	third := m.appraise(in)
	if m.recalls != 2 || len(third.Findings) != len(first.Findings)+1 || third.Rests == first.Rests {
		t.Errorf("the old rules stand: %s", codes(third))
	}
	// Whatever else the judgement rests on changes it.
	d.extend(t, wire.RunTimePCR)
	m.appraise(byDigest(d.input(t, goodClaims(t))))
	if m.recalls != 3 {
		t.Error("other PCR values are judged as those before")
	}
	in = byDigest(d.input(t, goodClaims(t)))
	in.Device.Provenance = wire.ProvenanceTPMUnendorsed
	if r := m.appraise(in); r.Vector.Hardware != wire.Warning {
		t.Error("another provenance is judged as the one before")
	}
	in = d.input(t, goodClaims(t))
	in.Evidence.EventLogDigest = make([]byte, 32)
	if r := m.appraise(in); reflect.DeepEqual(r.Rests, first.Rests) {
		t.Error("another log rests on the same")
	}
}

// A digest of claims that are not kept is no fault of the device: it is asked
// for the whole, and nothing else changes.
func TestClaimsThatAreNotKept(t *testing.T) {
	d := enrolled(t, machine(t, first))
	honest := d.input(t, goodClaims(t))
	clock := verifier.Appraise(honest).Clock
	other := goodClaims(t, func(all map[wire.ClaimID]*wire.Claim) { all[wire.ClaimFirewall].State = wire.ClaimFail })
	for name, kept := range map[string]*wire.Kept{
		"nothing kept":      nil,
		"other claims":      {Document: other, ResetCount: clock.ResetCount},
		"before the reset":  {Document: honest.Evidence.Claims, ResetCount: clock.ResetCount - 1},
		"emptied":           {ResetCount: clock.ResetCount},
		"one byte is other": {Document: append([]byte(" "), honest.Evidence.Claims...), ResetCount: clock.ResetCount},
	} {
		m := memory{kept: kept}
		r := m.appraise(byDigest(honest))
		if !r.Incomplete || affirms(r) || r.Vector.InstanceIdentity != wire.TrustNone || len(r.Wants) != 1 || r.Wants[0] != wire.WantClaims ||
			r.Rests != [32]byte{} || r.Kept != nil || codes(r) != "missing/"+reason.ClaimsNotKept+" " {
			t.Errorf("%s: %+v", name, r)
		}
	}
	m := memory{kept: &wire.Kept{Document: honest.Evidence.Claims, ResetCount: clock.ResetCount}}
	if r := m.appraise(byDigest(honest)); r.Incomplete || len(r.Claims) == 0 {
		t.Errorf("claims that are kept: %s", codes(r))
	}
}

// A digest changes nothing about what the quote must cover.
func TestForgedDigests(t *testing.T) {
	d := enrolled(t, machine(t, first))
	var m memory
	m.appraise(d.input(t, goodClaims(t)))
	worse := goodClaims(t, func(all map[wire.ClaimID]*wire.Claim) { all[wire.ClaimFirewall].State = wire.ClaimFail })
	kept := sha256.Sum256(goodClaims(t))
	for name, c := range map[string]struct {
		forge func(in *verifier.Input)
		code  string
	}{
		"a digest for other claims": {func(in *verifier.Input) { in.Evidence.Claims, in.Evidence.ClaimsDigest = nil, kept[:] }, reason.EvidenceBinding},
		"claims and a digest":       {func(in *verifier.Input) { in.Evidence.ClaimsDigest = kept[:] }, reason.EvidenceMalformed},
		"a short digest":            {func(in *verifier.Input) { in.Evidence.Claims, in.Evidence.ClaimsDigest = nil, kept[:31] }, reason.EvidenceMalformed},
		"a log and a digest": {func(in *verifier.Input) {
			in.Evidence.EventLog, in.Evidence.EventLogDigest = []byte("log"), kept[:]
		}, reason.EvidenceMalformed},
		"a short digest of a log": {func(in *verifier.Input) { in.Evidence.EventLogDigest = kept[:31] }, reason.EvidenceMalformed},
		"a list past its bound": {func(in *verifier.Input) {
			in.Evidence.IMA = &wire.IMAPiece{Log: make([]byte, wire.MaxIMABytes+1)}
		}, reason.EvidenceMalformed},
		"a list from before its start": {func(in *verifier.Input) { in.Evidence.IMA = &wire.IMAPiece{From: -1} }, reason.EvidenceMalformed},
		"the last nonce's quote":       {func(in *verifier.Input) { in.Nonce[0] ^= 1 }, reason.EvidenceBinding},
	} {
		in := d.input(t, worse)
		c.forge(&in)
		one := m
		refused(t, name, one.appraise(in), c.code)
	}
}

// A judgement with a fall of counters, and one that wants something, stand for
// no other.
func TestWhatIsNotReused(t *testing.T) {
	d := enrolled(t, machine(t, first))
	in := d.input(t, goodClaims(t))
	ahead := change(verifier.Appraise(in).Clock, func(c *wire.TPMClock) { c.Clock += 1 << 30 })
	in.Previous = &ahead
	if r := verifier.Appraise(in); !r.Fallen || r.Rests != [32]byte{} {
		t.Errorf("%+v", r)
	}
	var m memory
	m.appraise(d.input(t, goodClaims(t)))
	in = d.input(t, goodClaims(t))
	in.Previous = &ahead
	if r := m.appraise(in); !r.Fallen || r.Vector.InstanceIdentity != wire.Warning {
		t.Error("the last judgement hides a fall of counters")
	}
	in = d.input(t, goodClaims(t))
	in.Evidence.IMA = &wire.IMAPiece{}
	if r := verifier.Appraise(in); r.Rests != [32]byte{} {
		t.Error("a judgement that read a piece of the list stands for one that did not")
	}
}
