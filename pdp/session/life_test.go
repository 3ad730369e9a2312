package session

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

func contextWithCancel(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithCancel(t.Context())
}

func TestSessionSurvivesACrash(t *testing.T) {
	b := newBench(t)
	cookie := b.create(who{})
	before := b.read(cookie)
	b.crash()
	after := b.read(cookie)
	b.want(after, wire.AccessGranted, "")
	if after.Session != before.Session || after.Decision.ID == before.Decision.ID {
		t.Fatal("another session, or a decision that was not taken anew")
	}
	b.want(b.Authorize(t.Context(), ask(cookie, cafe, wire.ActionRead)), wire.AccessSignIn, reason.NetworkUnproven)
}

func TestRestartExtendsNothing(t *testing.T) {
	b := newBench(t)
	b.reconfirmAt = int64(time.Hour)
	cookie := b.create(who{})
	b.read(cookie)
	b.pass(10 * time.Minute)
	b.read(cookie)
	b.pass(14 * time.Minute)
	b.crash()
	b.reconfirmAt = int64(time.Hour)
	b.want(b.read(cookie), wire.AccessGranted, "") // last used 14 minutes ago
	b.pass(10 * time.Second)                       // not stored yet
	b.mu.Lock()
	b.now = b.now.Add(55 * time.Second)
	b.mu.Unlock()
	b.crash() // the store knows the use before the last
	b.want(b.read(cookie), wire.AccessSignIn, reason.SessionNone)
}

func TestNoWritePerRequest(t *testing.T) {
	b := newBench(t)
	cookie := b.create(who{})
	before := b.revisionOf(cookie)
	for range 50 {
		b.pass(time.Second)
		b.read(cookie)
	}
	if b.revisionOf(cookie) != before {
		t.Fatal("the store was written for a request")
	}
	b.pass(11 * time.Second)
	if b.revisionOf(cookie) == before {
		t.Fatal("the last use was not stored within a minute")
	}
}

func (b *bench) revisionOf(cookie string) int64 {
	b.t.Helper()
	q := ask(cookie, office, wire.ActionRead)
	s := b.live.get(&q.CookieHash)
	r, err := b.store.Get(b.t.Context(), s.key(), 0)
	if err != nil {
		b.t.Fatal(err)
	}
	return r.Revision
}

func TestCookieIsNowhereInTheStore(t *testing.T) {
	b := newBench(t)
	cookie := b.create(who{})
	raw, err := os.ReadFile(b.path)
	if err != nil {
		t.Fatal(err)
	}
	if len(cookie) != 43 || bytes.Contains(raw, []byte(cookie)) {
		t.Fatal("the cookie lies in the store")
	}
}

func TestRenewal(t *testing.T) {
	b := newBench(t)
	old := b.create(who{})
	id := b.read(old).Session
	b.pass(11 * time.Minute)
	fresh := b.create(who{previous: old, at: cafe, signedIn: beginning})
	b.want(b.read(old), wire.AccessSignIn, reason.SessionNone)
	got := b.Authorize(t.Context(), ask(fresh, cafe, wire.ActionRead))
	b.want(got, wire.AccessGranted, "")
	if got.Session != id {
		t.Fatal("a renewal got another id")
	}
	b.want(b.read(fresh), wire.AccessGranted, "") // the office is proven still
	b.pass(4 * time.Minute)
	b.want(b.read(fresh), wire.AccessSignIn, reason.DeviceReconfirm) // and no longer than it was
	b.want(b.Authorize(t.Context(), ask(fresh, cafe, wire.ActionRead)), wire.AccessGranted, "")
	fresh = b.create(who{previous: fresh, at: cafe, signedIn: beginning})
	if networks := b.Sessions("per-1")[0].Networks; len(networks) != 1 {
		t.Fatal("a proof that counts no more was kept:", networks)
	}
	b.crash()
	b.want(b.Authorize(t.Context(), ask(fresh, cafe, wire.ActionRead)), wire.AccessGranted, "")
	if len(b.Sessions("per-1")) != 1 {
		t.Fatal("two sessions out of one")
	}
}

func TestNoRenewalAcrossPeopleDevicesOrTime(t *testing.T) {
	for name, w := range map[string]who{"person": {person: "per-2"}, "device": {device: "dev-2"}} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			old := b.create(who{})
			id := b.read(old).Session
			w.previous, w.at = old, cafe
			fresh := b.create(w)
			b.want(b.read(old), wire.AccessSignIn, reason.SessionNone)
			b.want(b.read(fresh), wire.AccessSignIn, reason.NetworkUnproven) // nothing inherited
			if got := b.Authorize(t.Context(), ask(fresh, cafe, wire.ActionRead)); got.Session == id {
				t.Fatal("a session changed hands")
			}
		})
	}
	t.Run("ended", func(t *testing.T) {
		b := newBench(t)
		old := b.create(who{})
		id := b.read(old).Session
		b.mu.Lock()
		b.now = b.now.Add(16 * time.Minute)
		b.mu.Unlock()
		b.flush(t.Context(), b.now)
		if b.read(b.create(who{previous: old})).Session == id {
			t.Fatal("an ended session was renewed")
		}
	})
}

func TestIncompleteLogins(t *testing.T) {
	b := newBench(t)
	whole := wire.Login{SignIn: wire.SignIn{PersonID: "per-1", At: beginning}, Binding: wire.DeviceBinding{DeviceID: "dev-1", At: beginning}, Portal: thePlace.ID}
	for name, spoil := range map[string]func(*wire.Login){
		"portal": func(l *wire.Login) { l.Portal = "por-other" },
		"person": func(l *wire.Login) { l.SignIn.PersonID = "" },
		"when":   func(l *wire.Login) { l.SignIn.At = time.Time{} },
		"device": func(l *wire.Login) { l.Binding.DeviceID = "" },
		"bound":  func(l *wire.Login) { l.Binding.At = time.Time{} },
	} {
		l := whole
		spoil(&l)
		if _, err := b.Create(t.Context(), thePlace, l, office, [32]byte{}); !errors.Is(err, ErrIncomplete) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := b.Create(t.Context(), thePlace, whole, netip.Addr{}, [32]byte{}); !errors.Is(err, ErrIncomplete) {
		t.Errorf("no address: %v", err)
	}
}

// A login dated in the future must not outlive its limits.
func TestFutureSignInIsCut(t *testing.T) {
	b := newBench(t)
	b.create(who{signedIn: beginning.Add(time.Hour)})
	if ends := b.Sessions("per-1")[0].Ends; ends.After(beginning.Add(12 * time.Hour)) {
		t.Fatal(ends)
	}
}

func TestEnding(t *testing.T) {
	for name, end := range map[string]func(*bench, string) error{
		"sign-out": func(b *bench, cookie string) error {
			return b.SignOut(b.t.Context(), thePlace.ID, ask(cookie, office, "").CookieHash)
		},
		"revoke": func(b *bench, _ string) error { return b.Revoke(b.t.Context(), b.Sessions("per-1")[0].ID) },
		"revoke person": func(b *bench, _ string) error {
			n, err := b.RevokePerson(b.t.Context(), "per-1")
			if n != 1 {
				b.t.Error("ended", n)
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			cookie, other := b.create(who{}), b.create(who{person: "per-2"})
			b.want(b.read(cookie), wire.AccessGranted, "")
			if err := end(b, cookie); err != nil {
				t.Fatal(err)
			}
			b.want(b.read(cookie), wire.AccessSignIn, reason.SessionNone)
			b.want(b.read(other), wire.AccessGranted, "")
			b.pass(2 * time.Minute)
			b.crash()
			b.want(b.read(cookie), wire.AccessSignIn, reason.SessionNone)
			b.want(b.read(other), wire.AccessGranted, "")
		})
	}
	b := newBench(t)
	cookie := b.create(who{})
	if err := b.SignOut(t.Context(), "por-other", ask(cookie, office, "").CookieHash); err != nil {
		t.Fatal(err)
	}
	b.want(b.read(cookie), wire.AccessGranted, "") // another portal cannot end it
	if err := b.Revoke(t.Context(), "ses-x"); !errors.Is(err, ErrUnknown) || !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
}

func TestSessionsOfOnePersonAreBounded(t *testing.T) {
	b := newBench(t)
	first := b.create(who{})
	for range DefaultLimits().PerPerson {
		b.mu.Lock()
		b.now = b.now.Add(10 * time.Millisecond)
		b.mu.Unlock()
		b.create(who{})
	}
	if n := len(b.Sessions("per-1")); n != DefaultLimits().PerPerson {
		t.Fatalf("%d sessions", n)
	}
	b.want(b.read(first), wire.AccessSignIn, reason.SessionNone)
}

func TestLaxLimitsAreRefused(t *testing.T) {
	for name, spoil := range map[string]func(*Limits){
		"idle":      func(l *Limits) { l.Idle = 16 * time.Minute },
		"absolute":  func(l *Limits) { l.Absolute = 13 * time.Hour },
		"uses":      func(l *Limits) { l.UsesEvery = 6 * time.Second },
		"choice":    func(l *Limits) { l.ReconfirmFrom = 20 * time.Minute },
		"person":    func(l *Limits) { l.PerPerson = 0 },
		"computing": func(l *Limits) { l.Computing = 0 },
		"deadline":  func(l *Limits) { l.Deadline = 0 },
	} {
		l := DefaultLimits()
		spoil(&l)
		if !errors.Is(l.check(), ErrLimits) {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := New(t.Context(), Config{}); err == nil {
		t.Error("an empty configuration was taken")
	}
}

func TestUnreadableRecordCostsOneSession(t *testing.T) {
	b := newBench(t)
	kept, lost := b.create(who{}), b.create(who{person: "per-2"})
	s := b.live.get(ptr(ask(lost, office, "").CookieHash))
	whole, err := s.marshal(s.lastSeen.Load())
	if err != nil {
		t.Fatal(err)
	}
	later := strings.Replace(string(whole), `"v":1`, `"v":2`, 1)
	moved := strings.Replace(string(whole), s.id, "ses-"+strings.Repeat("0", 26), 1)
	for _, value := range []string{`{`, later, moved, `{"v":1,"id":"ses-0","cookie":"AA=="}`} {
		if _, err := b.store.Txn(t.Context(), nil, storeOps(s.key(), value)); err != nil {
			t.Fatal(err)
		}
		b.crash()
		b.want(b.read(kept), wire.AccessGranted, "")
		b.want(b.read(lost), wire.AccessSignIn, reason.SessionNone)
	}
}
