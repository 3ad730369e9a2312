package session

import (
	"errors"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

func TestDecidedOnceThenLookedUp(t *testing.T) {
	b := newBench(t)
	cookie := b.create(who{})
	first := b.read(cookie)
	b.want(first, wire.AccessGranted, "")
	if first.Token != "token-1" || first.Identity.Name != "Wang" || first.Decision.Action != wire.ActionRead || wire.CheckID(wire.PrefixDecision, first.Decision.ID) != nil {
		t.Fatalf("%+v", first)
	}
	for range 5 {
		if again := b.read(cookie); again.Decision != first.Decision || again.Token != first.Token {
			t.Fatal("another decision")
		}
	}
	if b.decisions() != 1 || b.count(wire.AuditDecision) != 1 {
		t.Fatalf("%d decisions, %d records", b.decisions(), b.count(wire.AuditDecision))
	}
	b.Authorize(t.Context(), ask(cookie, office, wire.ActionWrite))
	if b.decisions() != 2 {
		t.Fatal("a write was answered by the decision for reads")
	}
}

func TestKnownSessionAllocatesNothing(t *testing.T) {
	b := newBench(t)
	q := ask(b.create(who{}), office, wire.ActionRead)
	b.Authorize(t.Context(), q)
	b.Authorize(t.Context(), q)
	if n := testing.AllocsPerRun(1000, func() { b.Authorize(t.Context(), q) }); n != 0 {
		t.Fatalf("%v allocations a request", n)
	}
}

func TestWhatIsNotAdmitted(t *testing.T) {
	other := wire.Portal{ID: "por-other", Agency: "moda"}
	for name, c := range map[string]struct {
		change func(*bench, *wire.AccessRequest)
		code   string
	}{
		"no such cookie":  {func(_ *bench, q *wire.AccessRequest) { q.CookieHash[5]++ }, reason.SessionNone},
		"other portal":    {func(_ *bench, q *wire.AccessRequest) { q.Portal = &other }, reason.SessionNone},
		"no portal":       {func(_ *bench, q *wire.AccessRequest) { q.Portal = nil }, reason.SessionNone},
		"other network":   {func(_ *bench, q *wire.AccessRequest) { q.Address = cafe }, reason.NetworkUnproven},
		"no address":      {func(_ *bench, q *wire.AccessRequest) { q.Address = netip.Addr{} }, reason.NetworkUnproven},
		"neighbouring 24": {func(_ *bench, q *wire.AccessRequest) { q.Address = netip.MustParseAddr("192.0.3.10") }, reason.NetworkUnproven},
		"idle":            {func(b *bench, _ *wire.AccessRequest) { b.pass(15 * time.Minute) }, reason.SessionNone},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			q := ask(b.create(who{}), office, wire.ActionRead)
			b.want(b.Authorize(t.Context(), q), wire.AccessGranted, "")
			c.change(b, &q)
			b.want(b.Authorize(t.Context(), q), wire.AccessSignIn, c.code)
			if _, ok := b.Peek(q); ok {
				t.Error("Peek shows a decision to whom Authorize admits not")
			}
			if _, ok := b.Admitted(q); ok {
				t.Error("Admitted admits")
			}
		})
	}
}

func TestSameNetwork(t *testing.T) {
	b := newBench(t)
	cookie := b.create(who{})
	for _, from := range []string{"192.0.2.10", "192.0.2.254", "::ffff:192.0.2.3"} {
		b.want(b.Authorize(t.Context(), ask(cookie, netip.MustParseAddr(from), wire.ActionRead)), wire.AccessGranted, "")
	}
}

// The times of requirements 15, to the second.
func TestTimes(t *testing.T) {
	t.Run("idle", func(t *testing.T) {
		b := newBench(t)
		b.limits.ReconfirmAt, b.reconfirmAt = time.Hour, int64(time.Hour)
		cookie := b.create(who{})
		b.want(b.read(cookie), wire.AccessGranted, "")
		b.pass(15*time.Minute - time.Second)
		b.want(b.read(cookie), wire.AccessGranted, "")
		b.mu.Lock()
		b.now = b.now.Add(15 * time.Minute) // nobody swept
		b.mu.Unlock()
		b.want(b.read(cookie), wire.AccessSignIn, reason.SessionIdle)
		b.want(b.read(cookie), wire.AccessSignIn, reason.SessionIdle) // trying revives nothing
	})
	t.Run("absolute", func(t *testing.T) {
		b := newBench(t)
		b.reconfirmAt, b.reconfirmFrom = int64(24*time.Hour), int64(24*time.Hour)
		cookie := b.create(who{signedIn: beginning.Add(-12*time.Hour + time.Minute)})
		b.want(b.read(cookie), wire.AccessGranted, "")
		b.pass(59 * time.Second)
		b.want(b.read(cookie), wire.AccessGranted, "")
		b.mu.Lock()
		b.now = b.now.Add(time.Second)
		b.mu.Unlock()
		b.want(b.read(cookie), wire.AccessSignIn, reason.SessionTooOld)
		if _, err := b.tryCreate(who{signedIn: beginning.Add(-12 * time.Hour)}); !errors.Is(err, ErrTooOld) {
			t.Fatal(err)
		}
	})
	t.Run("reconfirmation", func(t *testing.T) {
		b := newBench(t)
		q := ask(b.create(who{}), office, wire.ActionRead)
		page := q
		page.Navigation = true
		for range 9 {
			b.pass(time.Minute)
			b.want(b.Authorize(t.Context(), q), wire.AccessGranted, "")
		}
		b.pass(59 * time.Second)
		b.want(b.Authorize(t.Context(), page), wire.AccessGranted, "")
		b.pass(time.Second) // 10 minutes: where there is a choice
		b.want(b.Authorize(t.Context(), page), wire.AccessSignIn, reason.DeviceReconfirm)
		b.want(b.Authorize(t.Context(), q), wire.AccessGranted, "")
		b.pass(5*time.Minute - time.Second)
		b.want(b.Authorize(t.Context(), q), wire.AccessGranted, "")
		b.pass(time.Second) // 15 minutes: everything
		b.want(b.Authorize(t.Context(), q), wire.AccessSignIn, reason.DeviceReconfirm)
	})
}

func TestChangesTouchExactlyTheSessionsConcerned(t *testing.T) {
	portal2 := wire.Portal{ID: "por-2", Agency: "nstc"}
	b := newBench(t)
	allow := b.decide
	b.decide = func(s Subject, a wire.Action) (wire.Facts, wire.Decision, error) {
		f, d, err := allow(s, a)
		if f.Person.Agency = "home"; s.Portal == portal2.ID {
			f.Person.Agency = "nstc"
		}
		return f, d, err
	}
	one := who{}
	two := who{person: "per-2", device: "dev-2", key: "key-2", portal: portal2}
	q1 := ask(b.create(one), office, wire.ActionRead)
	q2 := ask(b.create(two), office, wire.ActionRead)
	q2.Portal = &portal2
	anew := func(q wire.AccessRequest) bool {
		before := b.decisions()
		b.want(b.Authorize(t.Context(), q), wire.AccessGranted, "")
		return b.decisions() > before
	}
	anew(q1)
	anew(q2)
	for name, c := range map[string]struct {
		change     func()
		one, other bool
	}{
		"nothing":         {func() {}, false, false},
		"device":          {func() { b.DeviceChanged("dev-1") }, true, false},
		"person":          {func() { b.PersonChanged("per-1") }, true, false},
		"key":             {func() { b.KeyChanged("key-1") }, true, false},
		"portal":          {func() { b.PortalChanged("por-hr") }, true, false},
		"the other":       {func() { b.DeviceChanged("dev-2") }, false, true},
		"agency":          {func() { b.AgencyChanged("moda") }, true, false},
		"other agency":    {func() { b.AgencyChanged("nstc") }, false, true},
		"person's agency": {func() { b.AgencyChanged("home") }, true, false},
		"policy":          {func() { b.PolicyChanged() }, true, true},
		"trust":           {func() { b.TrustChanged(b.read1(q1).Session) }, true, false},
		"somebody's else": {func() { b.DeviceChanged("dev-9"); b.PersonChanged("") }, false, false},
	} {
		c.change()
		if got := anew(q1); got != c.one {
			t.Errorf("%s: the one decided anew: %v", name, got)
		}
		if got := anew(q2); got != c.other {
			t.Errorf("%s: the other decided anew: %v", name, got)
		}
	}
}

func (b *bench) read1(q wire.AccessRequest) wire.Access { return b.Authorize(b.t.Context(), q) }

func TestNextRequestFeelsTheChange(t *testing.T) {
	b := newBench(t)
	cookie := b.create(who{})
	b.want(b.read(cookie), wire.AccessGranted, "")
	b.set(func(Subject, wire.Action) (wire.Facts, wire.Decision, error) {
		return wire.Facts{}, wire.Decision{Reasons: []wire.Reason{{Code: "ZT-DEV-014"}}, ValidUntil: b.clock().Add(time.Hour)}, nil
	})
	b.want(b.read(cookie), wire.AccessGranted, "") // nobody said that anything changed
	b.DeviceChanged("dev-1")
	denied := b.read(cookie)
	b.want(denied, wire.AccessRefused, "ZT-DEV-014")
	if denied.Facts == nil || denied.Decision == nil {
		t.Fatal("a denial without its facts")
	}
	if shown, ok := b.Peek(ask(cookie, office, wire.ActionRead)); !ok || shown.Decision != denied.Decision {
		t.Fatal("Peek shows another decision")
	}
}

func (b *bench) set(f func(Subject, wire.Action) (wire.Facts, wire.Decision, error)) {
	b.mu.Lock()
	b.decide = f
	b.mu.Unlock()
}

// A change that comes while the decision is being taken overtakes it.
func TestChangeDuringDecisionIsNotLost(t *testing.T) {
	b := newBench(t)
	cookie := b.create(who{})
	var calls atomic.Int32
	b.set(func(Subject, wire.Action) (wire.Facts, wire.Decision, error) {
		d := wire.Decision{Effect: wire.Allow, ValidUntil: b.clock().Add(time.Hour)}
		if calls.Add(1) == 1 {
			b.DeviceChanged("dev-1") // after the facts were read
		} else {
			d = wire.Decision{Reasons: []wire.Reason{{Code: "ZT-DEV-014"}}}
		}
		return wire.Facts{}, d, nil
	})
	b.want(b.read(cookie), wire.AccessRefused, "ZT-DEV-014")
}

func TestDecisionEndsWithItsInputsAndItsToken(t *testing.T) {
	b := newBench(t)
	cookie := b.create(who{})
	b.set(func(Subject, wire.Action) (wire.Facts, wire.Decision, error) {
		return wire.Facts{}, wire.Decision{Effect: wire.Allow, ValidUntil: b.clock().Add(20 * time.Second)}, nil
	})
	b.read(cookie)
	b.pass(19 * time.Second)
	b.read(cookie)
	if b.decisions() != 1 {
		t.Fatal("decided anew too early")
	}
	b.pass(time.Second)
	b.read(cookie)
	if b.decisions() != 2 {
		t.Fatal("a decision outlived its inputs")
	}
	b.set(func(Subject, wire.Action) (wire.Facts, wire.Decision, error) {
		return wire.Facts{}, wire.Decision{Effect: wire.Allow, ValidUntil: b.clock().Add(time.Hour)}, nil
	})
	b.PolicyChanged()
	b.read(cookie)
	b.pass(5*time.Minute - 15*time.Second)
	if got := b.read(cookie).Token; got != "token-4" {
		t.Fatalf("%s: a token at its end was given out", got)
	}
}

func TestEverythingThatGoesWrongRefuses(t *testing.T) {
	soon := func(b *bench) time.Time { return b.clock().Add(time.Hour) }
	for name, c := range map[string]struct {
		decide func(*bench) (wire.Decision, error)
		mint   func() (string, time.Time, error)
		action wire.Action
		code   string
	}{
		"error with an allow": {decide: func(b *bench) (wire.Decision, error) {
			return wire.Decision{Effect: wire.Allow, ValidUntil: soon(b)}, errors.New("store gone")
		}, code: reason.Unavailable},
		"panic":                {decide: func(*bench) (wire.Decision, error) { panic("index out of range") }, code: reason.Internal},
		"zero decision":        {decide: func(*bench) (wire.Decision, error) { return wire.Decision{}, nil }, code: reason.Unknown},
		"allow without an end": {decide: func(*bench) (wire.Decision, error) { return wire.Decision{Effect: wire.Allow}, nil }, code: reason.Unavailable},
		"allow ended already": {decide: func(b *bench) (wire.Decision, error) {
			return wire.Decision{Effect: wire.Allow, ValidUntil: b.clock()}, nil
		}, code: reason.Unavailable},
		"write under read-only": {decide: func(b *bench) (wire.Decision, error) {
			return wire.Decision{Effect: wire.Allow, ValidUntil: soon(b), Obligations: wire.Obligations{ReadOnly: true}}, nil
		}, action: wire.ActionWrite, code: reason.ReadOnlySession},
		"unknown effect": {decide: func(b *bench) (wire.Decision, error) {
			return wire.Decision{Effect: 7, ValidUntil: soon(b)}, nil
		}, code: reason.Unknown},
		"token not minted": {mint: func() (string, time.Time, error) { return "t", beginning.Add(time.Hour), errors.New("no key") }, code: reason.Internal},
		"token empty":      {mint: func() (string, time.Time, error) { return "", beginning.Add(time.Hour), nil }, code: reason.Internal},
		"token expired":    {mint: func() (string, time.Time, error) { return "t", beginning, nil }, code: reason.Internal},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			cookie := b.create(who{})
			b.mint = c.mint
			if c.decide != nil {
				b.set(func(Subject, wire.Action) (wire.Facts, wire.Decision, error) {
					d, err := c.decide(b)
					return wire.Facts{}, d, err
				})
			}
			if c.action == "" {
				c.action = wire.ActionRead
			}
			b.want(b.Authorize(t.Context(), ask(cookie, office, c.action)), wire.AccessRefused, c.code)
			b.mu.Lock()
			defer b.mu.Unlock()
			for _, r := range b.records[1:] {
				if strings.Contains(string(r.Detail), `"effect":"allow"`) {
					t.Errorf("refused, and recorded as %s", r.Detail)
				}
			}
		})
	}
}

func TestHangingEngineRefusesAtTheDeadline(t *testing.T) {
	b := newBench(t)
	b.limits.Deadline = 30 * time.Millisecond
	cookie := b.create(who{})
	release := make(chan struct{})
	b.set(func(Subject, wire.Action) (wire.Facts, wire.Decision, error) {
		<-release
		return wire.Facts{}, wire.Decision{Effect: wire.Allow, ValidUntil: b.clock().Add(time.Hour)}, nil
	})
	b.want(b.read(cookie), wire.AccessRefused, reason.Unavailable)
	close(release)
}

func TestOneComputationForManyRequests(t *testing.T) {
	b := newBench(t)
	cookie := b.create(who{})
	gate := make(chan struct{})
	b.set(func(Subject, wire.Action) (wire.Facts, wire.Decision, error) {
		<-gate
		return wire.Facts{}, wire.Decision{Effect: wire.Allow, ValidUntil: b.clock().Add(time.Hour)}, nil
	})
	var wg sync.WaitGroup
	var granted atomic.Int32
	for range 32 {
		wg.Go(func() {
			if b.read(cookie).Outcome == wire.AccessGranted {
				granted.Add(1)
			}
		})
	}
	close(gate)
	wg.Wait()
	if b.decisions() != 1 || granted.Load() != 32 {
		t.Fatalf("%d decisions for %d requests", b.decisions(), granted.Load())
	}
	b.flush(t.Context(), b.clock())
	if b.count(wire.AuditUses) != 1 {
		t.Fatalf("%d records of uses", b.count(wire.AuditUses))
	}
}

func TestStepUp(t *testing.T) {
	b := newBench(t)
	b.set(func(Subject, wire.Action) (wire.Facts, wire.Decision, error) {
		return wire.Facts{}, wire.Decision{Effect: wire.StepUp, Reasons: []wire.Reason{{Code: "ZT-TRU-001"}}, ValidUntil: b.clock().Add(time.Hour)}, nil
	})
	old := b.create(who{signedIn: beginning.Add(-time.Hour)})
	got := b.read(old)
	b.want(got, wire.AccessSignIn, reason.FreshKeyNeeded)
	if !got.FreshKey {
		t.Fatal("the key is not asked for")
	}
	// Touched just now, and still not enough: round in circles otherwise.
	b.want(b.read(b.create(who{})), wire.AccessRefused, "ZT-TRU-001")
}

func TestRevocationDuringDecision(t *testing.T) {
	b := newBench(t)
	cookie := b.create(who{})
	b.set(func(s Subject, _ wire.Action) (wire.Facts, wire.Decision, error) {
		if err := b.Revoke(t.Context(), s.Session); err != nil {
			t.Error(err)
		}
		return wire.Facts{}, wire.Decision{Effect: wire.Allow, ValidUntil: b.clock().Add(time.Hour)}, nil
	})
	b.want(b.read(cookie), wire.AccessSignIn, reason.SessionNone)
}
