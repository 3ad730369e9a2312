package ceremony

import (
	"net/http"
	"testing"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

func TestTheBrowsersZoneIsKeptIfItCanBeOne(t *testing.T) {
	for name, c := range map[string]struct{ says, want *int }{
		"Taipei": {new(480), new(480)}, "UTC": {new(0), new(0)}, "Kiribati": {new(840), new(840)}, "west": {new(-720), new(-720)},
		"nothing said": {nil, nil}, "beyond the Earth": {new(841), nil}, "a bomb": {new(-1 << 40), nil},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			key := h.keyOf(h.person)
			b, handle := h.browser(), h.handle(nil)
			s := b.start(handle)
			answer := key.get(t, s.Options.Challenge, nil)
			answer.ZoneMinutes = c.says
			if status, code := b.post("/ceremony/sign-in/key", answer, nil); status != http.StatusOK {
				t.Fatal(status, code)
			}
			login, err := h.Redeem(t.Context(), b.finish(handle, h.confirm(s.DeviceNonce)), preHash(), h.portal.ID)
			if err != nil {
				t.Fatal(err)
			}
			got := login.SignIn.ZoneMinutes
			if (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
				t.Errorf("zone %v", got)
			}
		})
	}
}

// heard is a house that listens to what failed.
func heard(t *testing.T) (*house, *[]wire.FailedSignIn) {
	var all []wire.FailedSignIn
	return newHouse(t, func(c *Config) { c.Failed = func(f wire.FailedSignIn) { all = append(all, f) } }), &all
}

func TestAFailedSignInIsToldOfWhoIsKnown(t *testing.T) {
	h, all := heard(t)
	key := h.keyOf(h.person)
	b, handle := h.browser(), h.handle(nil)
	s := b.start(handle)
	forged := key.get(t, s.Options.Challenge, func(f *forgery) { f.Signer = newECKey(t) })
	if status, _ := b.post("/ceremony/sign-in/key", forged, nil); status != http.StatusForbidden {
		t.Fatal(status)
	}
	stranger := key.get(t, s.Options.Challenge, func(f *forgery) { f.UserHandle = make([]byte, 32) })
	if status, _ := b.post("/ceremony/sign-in/key", stranger, nil); status != http.StatusForbidden {
		t.Fatal(status)
	}
	if status, _ := b.post("/ceremony/sign-in/key", key.get(t, s.Options.Challenge, nil), nil); status != http.StatusOK {
		t.Fatal(status)
	}
	if status, _ := b.post("/ceremony/sign-in/device", deviceRequest{Handle: handle, ReturnCode: encode(make([]byte, 32))}, nil); status != http.StatusForbidden {
		t.Fatal(status)
	}
	if len(*all) != 2 {
		t.Fatalf("told %+v", *all)
	}
	for i, portal := range []string{"", h.portal.ID} {
		f := (*all)[i]
		if f.Person.ID != h.person.ID || f.Portal != portal || wire.NetworkOf(f.Address) != "192.0.2.0/24" || !f.At.Equal(h.now) {
			t.Errorf("told %+v", f)
		}
	}
}

func TestAFloodOfFailuresIsToldSparsely(t *testing.T) {
	h, all := heard(t)
	key := h.keyOf(h.person)
	b, s := startedFor(h)
	fail := func(times int) {
		for range times {
			forged := key.get(t, s.Options.Challenge, func(f *forgery) { f.Signer = newECKey(t) })
			if status, _ := b.post("/ceremony/sign-in/key", forged, nil); status != http.StatusForbidden {
				t.Fatal(status)
			}
		}
	}
	fail(40)
	if len(*all) != failedBurst {
		t.Fatalf("told %d times", len(*all))
	}
	h.pass(failedEvery)
	fail(10)
	if len(*all) != failedBurst+1 {
		t.Errorf("told %d times", len(*all))
	}
}

func TestWhatThisPDPCouldNotDoSpeaksAgainstNobody(t *testing.T) {
	h, all := heard(t)
	key := h.keyOf(h.person)
	b, s := startedFor(h)
	h.Ceremony.directory = failing{h.directory, store.ErrUnavailable}
	if status, _ := b.post("/ceremony/sign-in/key", key.get(t, s.Options.Challenge, nil), nil); status == http.StatusOK {
		t.Fatal(status)
	}
	if len(*all) != 0 {
		t.Errorf("told %+v", *all)
	}
}
