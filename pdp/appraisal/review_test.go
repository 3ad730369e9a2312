package appraisal

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// keeping is healthy with something to keep.
func keeping(in Input) wire.Appraised {
	r := healthy(in)
	r.Rests = [32]byte{1}
	r.Kept = &wire.Kept{Document: []byte("{}"), ResetCount: 1, LogDigest: []byte("log")}
	r.Boot = &wire.Boot{LogDigest: []byte("log"), SecureBoot: wire.SecureBootOn}
	return r
}

// worsened is what a review finds.
func worsened(in Reviewed) wire.Appraised {
	r := wire.Appraised{AttestationResult: in.Last}
	r.Vector.Executables = wire.Contraindicated
	r.Findings = []wire.Finding{{Type: wire.FindingTampered}}
	return r
}

func TestWhatIsKeptComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer func() { f.close(t) }()
		f.next = keeping
		f.attest(t)
		if f.seen.Last != nil || f.seen.Recall() != nil && f.seen.Rests != [32]byte{} {
			t.Errorf("a device that was never heard of has a past: %+v", f.seen)
		}
		for _, when := range []string{"at once", "after a restart"} {
			f.next = func(in Input) wire.Appraised { r := healthy(in); r.Rests = [32]byte{1}; return r } // keeps what there is
			f.attest(t)
			if f.seen.Last == nil || f.seen.Rests != [32]byte{1} {
				t.Errorf("%s: the last judgement is lost: %+v", when, f.seen)
			}
			kept, boot := f.seen.Recall(), f.seen.RecallBoot()
			if kept == nil || string(kept.Document) != "{}" || string(kept.LogDigest) != "log" || kept.ResetCount != 1 || boot == nil || boot.SecureBoot != wire.SecureBootOn {
				t.Errorf("%s: %+v, %+v", when, kept, boot)
			}
			f.reopen(t)
		}
		// Forged Evidence replaces nothing, and nothing stands for it.
		f.next = func(in Input) wire.Appraised {
			r := forged(in)
			r.Rests, r.Kept = [32]byte{9}, &wire.Kept{Document: []byte("forged")}
			return r
		}
		f.attest(t)
		f.next = keeping
		f.attest(t)
		if kept := f.seen.Recall(); string(kept.Document) != "{}" || f.seen.Rests != [32]byte{} {
			t.Errorf("forged Evidence was kept: %s", kept.Document)
		}
	})
}

func TestWhatCannotBeReadIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer f.close(t)
		f.next = keeping
		f.attest(t)
		key := store.Key(keptKind, laptop.Agency, laptop.ID)
		for _, damaged := range []string{`{"v":2}`, `{`, ``} {
			if _, err := f.store.Txn(t.Context(), nil, []store.Op{{Key: key, Value: []byte(damaged)}}); err != nil {
				t.Fatal(err)
			}
			if kept := f.recall(t.Context(), laptop); kept != nil {
				t.Errorf("%q: %+v", damaged, kept)
			}
		}
		f.boots.broken = true
		f.attest(t) // a boot that is not kept is no fault of the device
		if boot := f.recallBoot(t.Context(), laptop.ID); boot != nil {
			t.Errorf("%+v", boot)
		}
		f.wants(t, wire.StandingFresh)
	})
}

// Evidence that asks the PDP to remember what it does not changes nothing.
func TestIncompleteEvidenceChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer f.close(t)
		f.next = keeping
		f.attest(t)
		before, notices, records := f.Standing(laptop.ID), f.notices(), f.audit.count()
		_, done := f.Ask(laptop.ID)
		time.Sleep(time.Minute)
		f.next = func(Input) wire.Appraised {
			return wire.Appraised{Incomplete: true, Wants: []wire.Want{wire.WantClaims}, AttestationResult: wire.AttestationResult{
				Findings: []wire.Finding{{Type: wire.FindingMissing}}, Clock: wire.TPMClock{Clock: 99},
			}}
		}
		n := f.nonce(t)
		out, err := f.submit(t, n)
		if err != nil || out.Accepted || len(out.Wants) != 1 || out.NextInSeconds != 1 || len(out.Result.Findings) != 1 {
			t.Errorf("%+v, %v", out, err)
		}
		if got := f.Standing(laptop.ID); !got.Result.IssuedAt.Equal(before.Result.IssuedAt) || got.Result.Clock != before.Result.Clock ||
			f.notices() != notices || f.audit.count() != records {
			t.Errorf("%+v", got)
		}
		select {
		case <-done:
			t.Error("a question is answered by Evidence that was not judged")
		default:
		}
		if _, err := f.submit(t, n); err == nil {
			t.Error("its nonce works again")
		}
		f.next = keeping
		f.attest(t)
		if f.seen.Previous == nil || f.seen.Previous.Clock != 5 || f.seen.Rests != [32]byte{1} {
			t.Errorf("what was known is lost: %+v", f.seen)
		}
	})
}

func TestReviewJudgesAnAgencyAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer func() { f.close(t) }()
		f.next = keeping
		release := f.Connected(laptop.ID)
		f.attest(t)
		f.attestAs(t, moved)
		issued := time.Now()
		time.Sleep(time.Minute)
		var seen []Reviewed
		f.again = func(in Reviewed) wire.Appraised { seen = append(seen, in); return worsened(in) }
		notices, records := f.notices(), f.audit.count()
		f.reviewAll(t.Context(), "moda")
		if len(seen) != 1 || seen[0].Device.ID != laptop.ID || seen[0].Device.Agency != "moda" || string(seen[0].Kept.Document) != "{}" ||
			seen[0].RecallBoot() == nil || !seen[0].Now.Equal(time.Now()) {
			t.Fatalf("%+v", seen)
		}
		got := f.Standing(laptop.ID)
		if got.Standing != wire.StandingFresh || got.Result.Vector.Executables != wire.Contraindicated || !got.Result.IssuedAt.Equal(issued) {
			t.Errorf("%+v", got)
		}
		if f.notices() != notices+1 || f.audit.count() != records+1 {
			t.Error("told nobody or recorded nothing")
		}
		if f.Standing(moved.ID).Result.Vector.Executables == wire.Contraindicated {
			t.Error("another agency's device was judged")
		}
		f.reviewAll(t.Context(), "moda")
		if f.notices() != notices+1 || f.audit.count() != records+1 {
			t.Error("the same again is news")
		}
		release()
		time.Sleep(time.Minute)
		f.wants(t, wire.StandingSilent) // a review is no sign of life
		f.reopen(t)
		if got := f.Standing(laptop.ID).Result; got.Vector.Executables != wire.Contraindicated || !got.IssuedAt.Equal(issued) {
			t.Errorf("after a restart: %+v", got)
		}
		f.attest(t)
		if f.seen.Rests != [32]byte{} {
			t.Error("a review stands for Evidence that was judged by the old rules")
		}
	})
}

func TestReviewLeavesWhatItCannotJudge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer f.close(t)
		f.again = func(Reviewed) wire.Appraised { t.Error("reviewed"); return wire.Appraised{} }
		f.attest(t) // nothing is kept
		f.reviewAll(t.Context(), "moda")
		f.wants(t, wire.StandingFresh)
		f.next = keeping
		f.attest(t)
		f.next = forged
		f.attest(t)
		f.reviewAll(t.Context(), "moda")
		f.wants(t, wire.StandingRefused)
		f.Forget(laptop.ID)
		f.reviewAll(t.Context(), "moda")
		f.wants(t, wire.StandingUnknown)
	})
}

// Whoever changes the rules does not wait, and each change leads to a review
// that begins after it.
func TestReconsider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer f.close(t)
		f.next = keeping
		f.attest(t)
		f.attestAs(t, moved)
		var agencies []string
		f.again = func(in Reviewed) wire.Appraised {
			agencies = append(agencies, in.Device.Agency)
			if len(agencies) == 1 {
				f.Reconsider("moda") // while it is under way
			}
			return worsened(in)
		}
		f.Reconsider("moda") // before anybody runs
		defer f.running(t)()
		synctest.Wait()
		f.Reconsider("nstc")
		synctest.Wait()
		if !slices.Equal(agencies, []string{"moda", "moda", "nstc"}) {
			t.Error(agencies)
		}
		if f.Standing(moved.ID).Result.Vector.Executables != wire.Contraindicated {
			t.Error("not judged anew")
		}
	})
}
