package session

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// What was proven on one network counts on that network only, whatever a
// renewal on another proves, and whatever restarts.
func TestBindingStaysOnItsNetwork(t *testing.T) {
	b := newBench(t)
	bound := map[string]wire.DeviceBinding{}
	b.set(func(s Subject, _ wire.Action) (wire.Facts, wire.Decision, error) {
		b.mu.Lock()
		bound[s.Network.Network] = s.Binding
		b.mu.Unlock()
		return wire.Facts{}, wire.Decision{Effect: wire.Allow, ValidUntil: b.clock().Add(time.Hour)}, nil
	})
	weak := wire.DeviceBinding{Way: wire.BindingCode, Seat: wire.SeatNone}
	strong := wire.DeviceBinding{Way: wire.BindingFetch, Seat: wire.SeatActive, SameNetwork: true}
	old := b.create(who{binding: weak})
	b.pass(time.Minute)
	fresh := b.create(who{binding: strong, at: cafe, previous: old, signedIn: beginning})
	b.mu.Lock()
	last := string(b.records[len(b.records)-1].Detail)
	b.mu.Unlock()
	if !strings.Contains(last, `"way":"fetch"`) {
		t.Error("recorded:", last)
	}
	weak.DeviceID, weak.At = "dev-1", beginning
	strong.DeviceID, strong.At = "dev-1", beginning.Add(time.Minute)
	for range 2 {
		clear(bound)
		b.want(b.read(fresh), wire.AccessGranted, "")
		b.want(b.Authorize(t.Context(), ask(fresh, cafe, wire.ActionRead)), wire.AccessGranted, "")
		if bound["192.0.2.0/24"] != weak || bound["198.51.100.0/24"] != strong {
			t.Errorf("%+v", bound)
		}
		b.crash()
	}
}

// A stored network that does not say what was proven there is not proven.
func TestStoredNetworkWithoutItsBindingIsDropped(t *testing.T) {
	for name, spoil := range map[string]func(*placeRecord){
		"no binding":     func(p *placeRecord) { p.Binding = wire.DeviceBinding{} },
		"no time":        func(p *placeRecord) { p.Binding.At = time.Time{} },
		"another device": func(p *placeRecord) { p.Binding.DeviceID = "dev-2" },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			cookie := b.create(who{at: cafe, previous: b.create(who{})})
			b.rewrite(cookie, func(r *record) {
				for i := range r.Places {
					if r.Places[i].Network == "192.0.2.0/24" {
						spoil(&r.Places[i])
					}
				}
			})
			b.want(b.read(cookie), wire.AccessSignIn, reason.NetworkUnproven)
			b.want(b.Authorize(t.Context(), ask(cookie, cafe, wire.ActionRead)), wire.AccessGranted, "")
			b.rewrite(cookie, func(r *record) { spoil(&r.Places[0]) })
			b.want(b.read(cookie), wire.AccessSignIn, reason.SessionNone) // nothing of it is left
		})
	}
	// Neither does a record that knows no device at all.
	b := newBench(t)
	cookie := b.create(who{})
	b.rewrite(cookie, func(r *record) { r.Device, r.Places[0].Binding.DeviceID = "", "" })
	b.want(b.read(cookie), wire.AccessSignIn, reason.SessionNone)
}

// rewrite changes a session's stored record and restarts from it.
func (b *bench) rewrite(cookie string, change func(*record)) {
	b.t.Helper()
	s := b.live.get(ptr(ask(cookie, office, "").CookieHash))
	raw, err := s.marshal(s.lastSeen.Load())
	if err != nil {
		b.t.Fatal(err)
	}
	var r record
	if err := json.Unmarshal(raw, &r); err != nil {
		b.t.Fatal(err)
	}
	change(&r)
	if raw, err = json.Marshal(r); err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.store.Txn(b.t.Context(), nil, storeOps(s.key(), string(raw))); err != nil {
		b.t.Fatal(err)
	}
	b.crash()
}
