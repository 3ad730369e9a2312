package appraisal

import (
	"context"
	"encoding/base64"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

func TestEveryMisusedTicketHasItsOwnRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer f.close(t)
		judged := 0
		f.next = func(in Input) wire.Appraised { judged++; return healthy(in) }
		n := f.nonce(t)

		_, err := f.Attest(t.Context(), other, channelA, wire.AttestRequest{Ticket: n.Ticket})
		refusedWith(t, err, reason.NonceDevice)
		_, err = f.Attest(t.Context(), laptop, channelB, wire.AttestRequest{Ticket: n.Ticket})
		refusedWith(t, err, reason.NonceChannel)
		raw, _ := base64.RawURLEncoding.DecodeString(n.Ticket)
		raw[len(raw)-1] ^= 1
		for _, ticket := range []string{"", "x", base64.RawURLEncoding.EncodeToString(raw)} {
			_, err = f.Attest(t.Context(), laptop, channelA, wire.AttestRequest{Ticket: ticket})
			refusedWith(t, err, reason.NonceForged)
		}
		sealedElsewhere, err := f.Sealer.Seal("enrolment", time.Now().Add(time.Hour), ticket{Device: laptop.ID, Channel: channelA})
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.Attest(t.Context(), laptop, channelA, wire.AttestRequest{Ticket: sealedElsewhere})
		refusedWith(t, err, reason.NonceForged)
		time.Sleep(wire.NonceLife)
		_, err = f.submit(t, n)
		refusedWith(t, err, reason.NonceExpired)
		if judged != 0 {
			t.Errorf("%d of them were judged", judged)
		}
		f.wants(t, wire.StandingUnknown)
	})
}

func TestATicketIsSpentOnceAlsoAcrossARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer func() { f.close(t) }()
		n := f.nonce(t)
		if _, err := f.submit(t, n); err != nil {
			t.Fatal(err)
		}
		before := f.audit.count()
		_, err := f.submit(t, n)
		refusedWith(t, err, reason.NonceSpent)
		if f.audit.count() != before+1 {
			t.Error("the replay is not recorded")
		}
		f.reopen(t)
		_, err = f.submit(t, n)
		refusedWith(t, err, reason.NonceSpent)

		// A replay of what was refused changes nothing either.
		f.next = forged
		m := f.nonce(t)
		if out, err := f.submit(t, m); err != nil || out.Accepted {
			t.Fatal(out, err)
		}
		f.next = healthy
		f.attest(t)
		f.next = forged
		_, err = f.submit(t, m)
		refusedWith(t, err, reason.NonceSpent)
		f.next = healthy
		if got := f.Standing(laptop.ID); got.Result.Vector.InstanceIdentity != wire.Affirming {
			t.Error("a replay changed the result")
		}
	})
}

func TestADeviceCannotFillTheAuditLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer f.close(t)
		for range 100 {
			if _, err := f.submit(t, wire.NonceAnswer{Ticket: "forged"}); err == nil {
				t.Fatal("accepted")
			}
		}
		if n := f.audit.count(); n != 10 {
			t.Errorf("%d forgeries are recorded", n)
		}
	})
}

func TestOfManyWithOneTicketOneIsJudged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer f.close(t)
		n := f.nonce(t)
		var wg sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for range 16 {
			wg.Go(func() {
				if _, err := f.Attest(context.Background(), laptop, channelA, wire.AttestRequest{Ticket: n.Ticket}); err == nil {
					mu.Lock()
					won++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if won != 1 {
			t.Errorf("%d of 16 were accepted", won)
		}
	})
}

func TestTheVerifierIsToldWhatThePDPKnows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer f.close(t)
		var seen Input
		f.next = func(in Input) wire.Appraised {
			seen = in
			r := healthy(in)
			r.DeviceID, r.IssuedAt, r.ValidUntil = "dev-other", in.Now.Add(time.Hour), in.Now.Add(time.Hour) // not the verifier's to say
			return r
		}
		n := f.nonce(t)
		issued := time.Now()
		time.Sleep(100 * time.Second)
		out, err := f.submit(t, n)
		if err != nil {
			t.Fatal(err)
		}
		if string(seen.Nonce[:]) != string(n.Nonce) || !seen.IssuedAt.Equal(issued) || !seen.Now.Equal(time.Now()) || seen.ValidFor != 15*time.Minute || seen.Previous != nil {
			t.Errorf("input %+v", seen)
		}
		// The age counts from the nonce's issue.
		if r := out.Result; !r.IssuedAt.Equal(issued) || !r.ValidUntil.Equal(issued.Add(15*time.Minute)) || r.DeviceID != laptop.ID {
			t.Errorf("result %+v", r)
		}
		f.attest(t)
		if seen.Previous == nil || seen.Previous.Clock != 5 {
			t.Errorf("previous clock %+v", seen.Previous)
		}
	})
}
