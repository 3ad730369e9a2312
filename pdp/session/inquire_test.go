package session

import (
	"net/netip"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

func TestInquire(t *testing.T) {
	b := newBench(t)
	b.create(who{})
	id := b.Sessions("")[0].ID
	ask := func(portal, session string, from netip.Addr) Inquired {
		return b.Inquire(t.Context(), portal, session, from, wire.ActionRead, "")
	}
	got := ask(thePlace.ID, id, netip.Addr{})
	if !got.Live || got.Decision.Effect != wire.Allow || got.Inputs.Facts.Person.ID != "per-1" || !got.Stands() {
		t.Fatalf("%+v", got)
	}
	if got := ask(thePlace.ID, id, office); !got.Live {
		t.Errorf("from a proven network: %+v", got)
	}
	for name, c := range map[string]struct {
		portal, session string
		from            netip.Addr
		code            string
	}{
		"another portal":      {"por-other", id, office, reason.SessionNone},
		"another session":     {thePlace.ID, "ses-other", office, reason.SessionNone},
		"no portal":           {"", id, office, reason.SessionNone},
		"an unproven network": {thePlace.ID, id, cafe, reason.NetworkUnproven},
	} {
		if got := ask(c.portal, c.session, c.from); got.Live || got.Why.Code != c.code || got.Decision.Effect != wire.Deny {
			t.Errorf("%s: %+v", name, got)
		}
	}
	b.DeviceChanged("dev-1")
	b.PolicyChanged()
	if got.Stands() {
		t.Error("a change is not seen")
	}
	fresh := ask(thePlace.ID, id, office)
	if err := b.Revoke(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if fresh.Stands() || ask(thePlace.ID, id, office).Live {
		t.Error("its end is not seen")
	}
}

// An application that asks keeps no session alive, and finds none that is over.
func TestInquiringKeepsNothingAlive(t *testing.T) {
	b := newBench(t)
	cookie := b.create(who{})
	id := b.Sessions("")[0].ID
	for range 14 {
		b.pass(time.Minute)
		if got := b.Inquire(t.Context(), thePlace.ID, id, office, wire.ActionRead, ""); !got.Live {
			t.Fatalf("%+v", got.Why)
		}
	}
	b.mu.Lock()
	b.now = b.now.Add(time.Minute) // and nothing has swept it up yet
	b.mu.Unlock()
	if got := b.Inquire(t.Context(), thePlace.ID, id, office, wire.ActionRead, ""); got.Live || got.Why.Code != reason.SessionIdle {
		t.Errorf("a session that is idle: %+v", got.Why)
	}
	b.want(b.read(cookie), wire.AccessSignIn, reason.SessionIdle)
}

// Where the device was confirmed too long ago, nothing is said of it.
func TestInquiringNeedsTheDeviceConfirmed(t *testing.T) {
	b := newBench(t)
	cookie := b.create(who{})
	id := b.Sessions("")[0].ID
	for range 2 {
		b.pass(b.limits.ReconfirmAt / 2)
		b.read(cookie)
	}
	if got := b.Inquire(t.Context(), thePlace.ID, id, netip.Addr{}, wire.ActionRead, ""); got.Live || got.Why.Code != reason.DeviceReconfirm {
		t.Errorf("%+v", got.Why)
	}
}
