package session

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

func TestNoAllowBeforeItsRecord(t *testing.T) {
	b := newBench(t)
	cookie := b.create(who{})
	b.closeLog(errLog)
	b.want(b.read(cookie), wire.AccessRefused, reason.AuditClosed)
	// It heals by itself, and not before the log has taken a record.
	b.pass(3 * time.Second)
	b.want(b.read(cookie), wire.AccessRefused, reason.AuditClosed)
	b.closeLog(nil)
	b.want(b.read(cookie), wire.AccessRefused, reason.AuditClosed)
	b.pass(2 * time.Second)
	b.want(b.read(cookie), wire.AccessGranted, "")
}

func TestDecisionIsRecordedWhole(t *testing.T) {
	b := newBench(t)
	a := b.read(b.create(who{}))
	b.mu.Lock()
	defer b.mu.Unlock()
	last := b.records[len(b.records)-1]
	if last.Kind != wire.AuditDecision || last.Decision != a.Decision.ID || last.Subject != "per-1" || last.Device != "dev-1" ||
		last.Portal != "por-hr" || last.Session != a.Session || last.Agency != "moda" {
		t.Fatalf("%+v", last)
	}
	var detail wire.DecisionDetail
	if err := json.Unmarshal(last.Detail, &detail); err != nil || detail.Decision.Effect != wire.Allow || detail.Network != "192.0.2.0/24" {
		t.Fatal(err, string(last.Detail))
	}
	if strings.Contains(string(last.Detail), a.Token) {
		t.Fatal("the token is in the log")
	}
}

func TestUsesAreCountedAndRecorded(t *testing.T) {
	b := newBench(t)
	cookie := b.create(who{})
	first := b.read(cookie)
	b.pass(10 * time.Second)
	if b.count(wire.AuditUses) != 0 {
		t.Fatal("uses recorded that were not")
	}
	for range 7 {
		b.read(cookie)
	}
	b.pass(10 * time.Second)
	b.mu.Lock()
	last := b.records[len(b.records)-1]
	b.mu.Unlock()
	if last.Kind != wire.AuditUses || last.Decision != first.Decision.ID || string(last.Detail) != `{"uses":7}` {
		t.Fatalf("%+v %s", last, last.Detail)
	}
	if b.used != 7 {
		t.Errorf("the inference was told of %d uses", b.used)
	}
}

func TestUsesThatCannotBeRecordedStopAllows(t *testing.T) {
	b := newBench(t)
	cookie := b.create(who{})
	b.read(cookie)
	b.read(cookie)
	b.closeLog(errLog)
	b.want(b.read(cookie), wire.AccessGranted, "") // within the ten seconds
	b.pass(5 * time.Second)
	b.want(b.read(cookie), wire.AccessRefused, reason.AuditClosed)
	b.closeLog(nil)
	b.pass(2 * time.Second)
	b.want(b.read(cookie), wire.AccessGranted, "")
	b.pass(5 * time.Second)
	total := 0
	b.mu.Lock()
	for _, r := range b.records {
		if r.Kind == wire.AuditUses {
			var d struct{ Uses int }
			if err := json.Unmarshal(r.Detail, &d); err != nil {
				t.Fatal(err)
			}
			total += d.Uses
		}
	}
	b.mu.Unlock()
	if total != 3 {
		t.Fatalf("%d uses recorded, 3 happened", total)
	}
}

// A log that one decision found closed is closed for all, until it takes a
// record again: that nothing is pending proves nothing.
func TestClosedLogIsProbed(t *testing.T) {
	b := newBench(t)
	known, other := b.create(who{}), b.create(who{person: "per-2"})
	b.want(b.read(known), wire.AccessGranted, "")
	b.closeLog(errLog)
	b.want(b.read(other), wire.AccessRefused, reason.AuditClosed)
	b.pass(3 * time.Second)
	b.want(b.read(known), wire.AccessRefused, reason.AuditClosed)
	b.closeLog(nil)
	b.pass(time.Second)
	b.want(b.read(known), wire.AccessGranted, "")
}

// If the owner goroutine stops, uses stop.
func TestUsesEndWithoutTheirOwner(t *testing.T) {
	b := newBench(t)
	cookie := b.create(who{})
	b.want(b.read(cookie), wire.AccessGranted, "")
	b.mu.Lock()
	b.now = b.now.Add(10*time.Second + 1)
	b.mu.Unlock()
	b.want(b.read(cookie), wire.AccessRefused, reason.AuditClosed)
}

func TestSessionIsNotStartedUnrecorded(t *testing.T) {
	b := newBench(t)
	b.closeLog(errLog)
	if _, err := b.tryCreate(who{}); !errors.Is(err, ErrUnrecorded) {
		t.Fatal(err)
	}
	b.closeLog(nil)
	if b.crash(); len(b.Sessions("")) != 0 {
		t.Fatal("an unrecorded session was stored")
	}
}

func TestCopiedCookieIsNotedOnceInAWhile(t *testing.T) {
	b := newBench(t)
	cookie := b.create(who{})
	for range 100 {
		b.want(b.Authorize(t.Context(), ask(cookie, cafe, wire.ActionRead)), wire.AccessSignIn, reason.NetworkUnproven)
	}
	b.pass(5 * time.Second)
	if n := b.count(wire.AuditSystem); n != 1 {
		t.Fatalf("%d notes", n)
	}
}

func TestRunFlushesPersistsSweepsAndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.Manager.clock = time.Now
		b.mu.Lock()
		b.now = time.Now()
		b.mu.Unlock()
		b.recordedUntil.Store(time.Now().Add(10 * time.Second).UnixNano())
		cookie := b.create(who{})
		done := make(chan error)
		ctx, stop := contextWithCancel(t)
		go func() { done <- b.Run(ctx) }()
		b.set(func(Subject, wire.Action) (wire.Facts, wire.Decision, error) {
			return wire.Facts{}, wire.Decision{Effect: wire.Allow, ValidUntil: time.Now().Add(time.Hour)}, nil
		})
		b.mint = func() (string, time.Time, error) { return "t", time.Now().Add(5 * time.Minute), nil }
		b.want(b.read(cookie), wire.AccessGranted, "")
		b.want(b.read(cookie), wire.AccessGranted, "")
		time.Sleep(9 * time.Second)
		if b.count(wire.AuditUses) != 1 {
			t.Error("uses not recorded within ten seconds")
		}
		time.Sleep(10 * time.Second)
		b.want(b.read(cookie), wire.AccessGranted, "")
		time.Sleep(17 * time.Minute)
		if len(b.Sessions("")) != 0 {
			t.Error("an idle session was not swept")
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		b.want(b.Authorize(t.Context(), ask(cookie, office, wire.ActionRead)), wire.AccessSignIn, reason.SessionNone)
	})
}

// A record that fails while the log is being tried keeps it closed, although
// the trial itself was taken.
func TestAFailureDuringTheTrialKeepsTheLogClosed(t *testing.T) {
	b := newBench(t)
	b.closeAudit()
	b.onAppend = func(r wire.AuditRecord) {
		if r.Kind == wire.AuditSystem {
			b.closeAudit() // somebody else's record was not taken
		}
	}
	b.flush(t.Context(), b.clock())
	if b.recordedUntil.Load() != 0 {
		t.Error("opened over a failure")
	}
	b.onAppend = nil
	b.flush(t.Context(), b.clock())
	if b.recordedUntil.Load() == 0 {
		t.Error("closed for good")
	}
}
