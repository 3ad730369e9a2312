package session

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// A client that breaks its request off gets what it asked for, whole, and
// nobody else feels it.
func TestClientThatIsGone(t *testing.T) {
	gone, stop := contextWithCancel(t)
	stop()
	for name, c := range map[string]struct {
		act  func(*bench, string) error
		code string // of the session afterwards, and after a crash
	}{
		"signs out": {func(b *bench, cookie string) error {
			return b.SignOut(gone, thePlace.ID, ask(cookie, office, "").CookieHash)
		}, reason.SessionNone},
		"signs in": {func(b *bench, _ string) error {
			_, err := b.tryCreate(who{ctx: gone})
			return err
		}, ""},
		"renews": {func(b *bench, cookie string) error {
			_, err := b.tryCreate(who{ctx: gone, previous: cookie})
			return err
		}, reason.SessionNone},
		"signs in as another": {func(b *bench, cookie string) error {
			_, err := b.tryCreate(who{ctx: gone, previous: cookie, person: "per-3"})
			return err
		}, reason.SessionNone},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			cookie, other := b.create(who{}), b.create(who{person: "per-2"})
			b.want(b.read(cookie), wire.AccessGranted, "")
			before := b.count(wire.AuditSignIn)
			if err := c.act(b, cookie); err != nil {
				t.Fatal(err)
			}
			if b.count(wire.AuditSignIn) == before {
				t.Error("not recorded")
			}
			sessions := len(b.Sessions(""))
			outcome := wire.AccessGranted
			if c.code != "" {
				outcome = wire.AccessSignIn
			}
			for range 2 {
				b.want(b.read(cookie), outcome, c.code)
				b.want(b.read(other), wire.AccessGranted, "")
				if n := len(b.Sessions("")); n != sessions {
					t.Errorf("%d sessions, then %d", sessions, n)
				}
				b.crash()
			}
		})
	}
}

func TestClientThatIsGoneLeavesNothingUnrecorded(t *testing.T) {
	b := newBench(t)
	ctx, stop := contextWithCancel(t)
	b.onAppend = func(wire.AuditRecord) { stop() }
	b.closeLog(errLog)
	if _, err := b.tryCreate(who{ctx: ctx}); !errors.Is(err, ErrUnrecorded) {
		t.Fatal(err)
	}
	b.closeLog(nil)
	if b.crash(); len(b.Sessions("")) != 0 {
		t.Fatal("an unrecorded session was stored")
	}
}

// What a client cannot stop must stop by itself; that log is closed for all.
func TestHangingLogIsClosed(t *testing.T) {
	for name, act := range map[string]func(*bench, string) error{
		"end": func(b *bench, cookie string) error {
			return b.SignOut(b.t.Context(), thePlace.ID, ask(cookie, office, "").CookieHash)
		},
		"begin": func(b *bench, _ string) error { _, err := b.tryCreate(who{}); return err },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				cookie, other := b.create(who{}), b.create(who{person: "per-2"})
				b.want(b.read(other), wire.AccessGranted, "")
				b.hang = true
				if err := act(b, cookie); !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
				b.hang = false
				b.want(b.read(other), wire.AccessRefused, reason.AuditClosed)
			})
		})
	}
}
