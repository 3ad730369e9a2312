package appraisal

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// running starts the timers and stops them at the test's end.
func (f *fixture) running(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); f.Run(ctx) }()
	return func() { cancel(); <-done }
}

func TestStandingByTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer f.close(t)
		defer f.running(t)()
		f.wants(t, wire.StandingUnknown)
		release := f.Connected(laptop.ID)
		f.attest(t)
		f.wants(t, wire.StandingFresh)
		issued := time.Now()
		if got := f.Standing(laptop.ID); !got.ChangesAt.Equal(issued.Add(15 * time.Minute)) {
			t.Errorf("changes at %v", got.ChangesAt)
		}
		synctest.Wait()
		notices, revision := f.notices(), f.Standing(laptop.ID).Revision

		time.Sleep(3 * time.Minute)
		release()
		release() // twice is once
		f.wants(t, wire.StandingFresh)
		if got := f.Standing(laptop.ID); !got.ChangesAt.Equal(time.Now().Add(time.Minute)) {
			t.Errorf("changes at %v", got.ChangesAt)
		}
		time.Sleep(time.Minute - time.Millisecond)
		f.wants(t, wire.StandingFresh)
		if f.notices() != notices {
			t.Error("told too early")
		}
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		f.wants(t, wire.StandingSilent)
		if f.notices() != notices+1 || f.Standing(laptop.ID).Revision != revision+1 {
			t.Errorf("silence was told %d times", f.notices()-notices)
		}

		release = f.Connected(laptop.ID)
		f.wants(t, wire.StandingFresh)
		if f.notices() != notices+2 {
			t.Error("the return was not told")
		}
		time.Sleep(time.Until(issued.Add(15 * time.Minute)))
		synctest.Wait()
		f.wants(t, wire.StandingStale)
		if f.notices() != notices+3 {
			t.Error("staleness was not told")
		}
		release()
		f.attest(t)
		f.wants(t, wire.StandingFresh)
	})
}

func TestSilenceDoesNotNeedTheTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer f.close(t)
		f.attest(t)
		time.Sleep(time.Minute)
		f.wants(t, wire.StandingSilent)
		time.Sleep(14 * time.Minute)
		f.wants(t, wire.StandingStale)
	})
}

func TestTheLastPollCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer f.close(t)
		f.attest(t)
		first, second := f.Connected(laptop.ID), f.Connected(laptop.ID)
		first()
		time.Sleep(2 * time.Minute)
		f.wants(t, wire.StandingFresh)
		second()
		time.Sleep(time.Minute)
		f.wants(t, wire.StandingSilent)
	})
}

func TestARestartGivesFreshDevicesAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer func() { f.close(t) }()
		f.attest(t)
		time.Sleep(10 * time.Minute)
		f.wants(t, wire.StandingSilent)
		f.reopen(t)
		f.wants(t, wire.StandingFresh)
		time.Sleep(time.Minute)
		f.wants(t, wire.StandingSilent)
		f.reopen(t)
		time.Sleep(4 * time.Minute)
		f.wants(t, wire.StandingStale) // a restart makes nothing younger
		f.reopen(t)
		f.wants(t, wire.StandingStale)
	})
}

func TestRefusedEvidence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer func() { f.close(t) }()
		release := f.Connected(laptop.ID)
		defer release()
		f.attest(t)
		for name, judge := range map[string]func(Input) wire.Appraised{
			"tampered": forged,
			"contraindicated": func(Input) wire.Appraised {
				return wire.Appraised{AttestationResult: wire.AttestationResult{Vector: wire.TrustVector{InstanceIdentity: wire.Contraindicated}}}
			},
		} {
			notices, records := f.notices(), f.audit.count()
			f.next = judge
			out := f.attest(t)
			if out.Accepted {
				t.Errorf("%s: accepted", name)
			}
			f.wants(t, wire.StandingRefused)
			if f.notices() == notices || f.audit.count() == records {
				t.Errorf("%s: told nobody or recorded nothing", name)
			}
			f.reopen(t)
			f.wants(t, wire.StandingRefused)
			var previous *wire.TPMClock
			f.next = func(in Input) wire.Appraised { previous = in.Previous; return healthy(in) }
			f.attest(t) // compliance recovered gives the device back
			f.wants(t, wire.StandingFresh)
			if previous == nil || previous.Clock != 5 {
				t.Errorf("%s: refused Evidence set the clock: %+v", name, previous)
			}
		}
		if f.Standing(other.ID).Standing != wire.StandingUnknown {
			t.Error("another device changed")
		}
	})
}

func TestAFallOfCountersIsNotForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer func() { f.close(t) }()
		f.attest(t)
		f.next = func(in Input) wire.Appraised {
			r := healthy(in)
			r.Clock.ResetCount = 0
			if in.Previous.ResetCount > 0 {
				r.Findings, r.Fallen = []wire.Finding{{Type: wire.FindingRolledBack}}, true
			}
			return r
		}
		for range 2 {
			f.reopen(t)
			if out := f.attest(t); len(out.Result.Findings) != 1 {
				t.Error("the fall became the new normal")
			}
		}
	})
}

// Evidence that waits for its turn until its nonce is over is the device's own
// and tells no clock: a device could have its counters forgotten by that.
func TestLateEvidenceWashesNoCountersAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer func() { f.close(t) }()
		f.attest(t)
		f.next = func(Input) wire.Appraised {
			return wire.Appraised{AttestationResult: wire.AttestationResult{Findings: []wire.Finding{{Type: wire.FindingStale}}}}
		}
		f.attest(t)
		for range 2 {
			f.next = func(in Input) wire.Appraised {
				if in.Previous == nil || in.Previous.ResetCount != 1 || in.Previous.Clock != 5 {
					t.Errorf("what was seen of the clock is forgotten: %+v", in.Previous)
				}
				return forged(in)
			}
			f.attest(t)
			f.reopen(t)
		}
	})
}

func TestOvertakenEvidenceChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer func() { f.close(t) }()
		early := f.nonce(t)
		time.Sleep(time.Second)
		late := f.nonce(t)
		if _, err := f.submit(t, late); err != nil {
			t.Fatal(err)
		}
		want := f.Standing(laptop.ID).Result.IssuedAt
		f.next = func(in Input) wire.Appraised {
			if in.Previous != nil {
				t.Error("an earlier quote is compared with a later clock")
			}
			return wire.Appraised{AttestationResult: wire.AttestationResult{Vector: wire.TrustVector{InstanceIdentity: wire.Affirming}}}
		}
		if _, err := f.submit(t, early); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if got := f.Standing(laptop.ID).Result; !got.IssuedAt.Equal(want) || got.Vector.Hardware != wire.Affirming {
				t.Errorf("the older result counts: %+v", got)
			}
			f.reopen(t)
		}
	})
}

func TestWhatCannotBeKeptIsNotReliedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer f.close(t)
		f.attest(t)
		notices := f.notices()
		f.store.broken = true
		if _, err := f.submit(t, f.nonce(t)); err == nil {
			t.Error("accepted without being kept")
		}
		f.wants(t, wire.StandingStale)
		if f.notices() != notices+1 {
			t.Error("nobody was told")
		}
		f.store.broken = false
		f.attest(t)
		f.wants(t, wire.StandingFresh)
	})
}

func TestAFullAuditLogDoesNotHideAWorseResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer f.close(t)
		f.attest(t)
		f.audit.full = true
		f.next = forged
		f.attest(t)
		f.wants(t, wire.StandingRefused)
	})
}

func TestOnlyNewsIsRecordedAndTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer f.close(t)
		release := f.Connected(laptop.ID)
		defer release()
		claims := func(state wire.ClaimState) func(in Input) wire.Appraised {
			return func(in Input) wire.Appraised {
				r := healthy(in)
				r.Claims = []wire.Claim{{ID: wire.ClaimFirewall, State: state, MeasuredAt: in.Now}}
				return r
			}
		}
		f.next = claims(wire.ClaimPass)
		f.attest(t)
		notices, records := f.notices(), f.audit.count()
		time.Sleep(time.Minute)
		f.attest(t)
		if f.notices() != notices || f.audit.count() != records {
			t.Error("the same again is news")
		}
		f.next = claims(wire.ClaimFail)
		f.attest(t)
		if f.notices() != notices+1 || f.audit.count() != records+1 {
			t.Error("a firewall that went off is no news")
		}
	})
}

func TestARetiredDeviceIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer f.close(t)
		release := f.Connected(laptop.ID)
		f.attest(t)
		_, done := f.Ask(laptop.ID)
		f.Forget(laptop.ID)
		<-done
		release()
		f.wants(t, wire.StandingUnknown)
		if len(f.devices) != 0 || len(f.queue) != 0 {
			t.Error("something stays")
		}
	})
}

func TestTheIntervalHasJitterBelowIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer f.close(t)
		for drawn, want := range map[string]int{"\x00\x00\x00\x00": 300, "\x80\x00\x00\x00": 270, "\xff\xff\xff\xff": 240} {
			f.Random = strings.NewReader(drawn)
			if n, err := f.nextIn(); err != nil || n != want {
				t.Errorf("%x: %d, %v", drawn, n, err)
			}
			if n, err := f.nextIn(); err == nil {
				t.Errorf("%d without a draw", n)
			}
		}
	})
}

func TestAnUnreadableResultStopsTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer f.close(t)
		if _, err := f.store.Txn(t.Context(), nil, []store.Op{{Key: store.Key(kind, "moda", laptop.ID), Value: []byte(`{"v":2}`)}}); err != nil {
			t.Fatal(err)
		}
		if _, err := New(t.Context(), f.Config); err == nil {
			t.Error("a newer schema was guessed at")
		}
	})
}
