package ceremony

import (
	"crypto/rand"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

func confirmation32(nonce string) wire.DeviceConfirmation {
	code := make([]byte, 32)
	_, _ = rand.Read(code)
	return wire.DeviceConfirmation{Nonce: nonce, ReturnCode: code, Seat: wire.SeatActive, Way: wire.BindingFetch}
}

func codeOf(err error) string {
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return refusal.Reason().Code
	}
	return ""
}

// A hostile page has somebody's agent confirm the attacker's own ceremony: the
// attacker holds the ceremony's cookie, but the return code went to the victim.
func TestAnotherLaptopsConfirmationGainsNothing(t *testing.T) {
	h := newHouse(t)
	attacker, handle := h.browser(), h.handle(nil)
	s := attacker.touch(handle, h.keyOf(h.newPerson("mallory")))
	victimsCode := h.confirm(s.DeviceNonce) // known to the victim's page alone
	for name, guess := range map[string]string{
		"none": "", "zero": encode(make([]byte, 32)), "short": victimsCode[:42], "the nonce": s.DeviceNonce, "padded": victimsCode + "=",
	} {
		if status, code := attacker.post("/ceremony/sign-in/device", deviceRequest{Handle: handle, ReturnCode: guess}, nil); status != http.StatusForbidden || code != reason.KeyReturnCodeWrong {
			t.Errorf("%s: %d %s", name, status, code)
		}
	}
	// The victim's page holds the code, but not this ceremony's cookie.
	victim, own := h.browser(), h.handle(nil)
	victim.touch(own, h.keyOf(h.person))
	if status, code := victim.post("/ceremony/sign-in/device", deviceRequest{Handle: own, ReturnCode: victimsCode}, nil); code != reason.KeyDeviceNotConfirmed {
		t.Errorf("in the victim's browser: %d %s", status, code)
	}
	if h.count(kindLoginCode) != 0 {
		t.Error("a login code was given out")
	}
}

// Somebody who sees the victim's nonce and confirms it first, from a laptop of
// his own, gets no sign-in on his laptop's account: the codes differ.
func TestAConfirmationByAnotherLaptopIsNotMixedUp(t *testing.T) {
	h := newHouse(t)
	b, handle := h.browser(), h.handle(nil)
	s := b.touch(handle, h.keyOf(h.person))
	foreign := confirmation32(s.DeviceNonce)
	if err := h.Confirm(t.Context(), "dev-11111111111111111111111110", foreign, "198.51.100.0/24"); err != nil {
		t.Fatal(err)
	}
	own := confirmation32(s.DeviceNonce)
	if err := h.Confirm(t.Context(), laptop, own, "192.0.2.0/24"); codeOf(err) != reason.KeyConfirmationReplayed {
		t.Errorf("a second confirmation: %v", err)
	}
	if status, code := b.post("/ceremony/sign-in/device", deviceRequest{Handle: handle, ReturnCode: encode(own.ReturnCode)}, nil); code != reason.KeyReturnCodeWrong {
		t.Errorf("%d %s", status, code)
	}
}

func TestAConfirmationWorksOnce(t *testing.T) {
	h := newHouse(t)
	key := h.keyOf(h.person)
	b, handle := h.browser(), h.handle(nil)
	s := b.touch(handle, key)
	cookie := b.cookies[cookieCeremony]
	said := confirmation32(s.DeviceNonce)
	if err := h.Confirm(t.Context(), laptop, said, "192.0.2.0/24"); err != nil {
		t.Fatal(err)
	}
	code := encode(said.ReturnCode)
	b.finish(handle, code)
	if b.cookies[cookieCeremony] != "" {
		t.Error("the ceremony's cookie is left")
	}
	for _, when := range []string{"at once", "after a restart"} {
		b.cookies[cookieCeremony] = cookie
		if status, got := b.post("/ceremony/sign-in/device", deviceRequest{Handle: handle, ReturnCode: code}, nil); got != reason.KeyConfirmationReplayed {
			t.Errorf("page %s: %d %s", when, status, got)
		}
		if err := h.Confirm(t.Context(), laptop, said, "192.0.2.0/24"); codeOf(err) != reason.KeyConfirmationReplayed {
			t.Errorf("agent %s: %v", when, err)
		}
		h.restart()
		b.h = h
	}
}

func TestAConfirmationExpires(t *testing.T) {
	h := newHouse(t)
	b, handle := h.browser(), h.handle(nil)
	s := b.touch(handle, h.keyOf(h.person))
	code := h.confirm(s.DeviceNonce)
	h.pass(confirmationLife)
	if status, got := b.post("/ceremony/sign-in/device", deviceRequest{Handle: handle, ReturnCode: code}, nil); status != http.StatusForbidden || got != reason.KeySignInExpired {
		t.Errorf("%d %s", status, got)
	}
}

func TestANonceExpires(t *testing.T) {
	h := newHouse(t)
	s := h.browser().start(h.handle(nil))
	h.pass(ceremonyLife)
	if err := h.Confirm(t.Context(), laptop, confirmation32(s.DeviceNonce), "192.0.2.0/24"); codeOf(err) != reason.KeySignInExpired {
		t.Error(err)
	}
}

func TestForgedConfirmations(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	s := b.start(h.handle(nil))
	for name, change := range map[string]func(*wire.DeviceConfirmation, *string){
		"no nonce":        func(c *wire.DeviceConfirmation, _ *string) { c.Nonce = "" },
		"changed nonce":   func(c *wire.DeviceConfirmation, _ *string) { c.Nonce = strings.ToUpper(c.Nonce) },
		"the cookie":      func(c *wire.DeviceConfirmation, _ *string) { c.Nonce = b.cookies[cookieCeremony] },
		"the handle":      func(c *wire.DeviceConfirmation, _ *string) { c.Nonce = h.handle(nil) },
		"no code":         func(c *wire.DeviceConfirmation, _ *string) { c.ReturnCode = nil },
		"a short code":    func(c *wire.DeviceConfirmation, _ *string) { c.ReturnCode = make([]byte, 16) },
		"a long code":     func(c *wire.DeviceConfirmation, _ *string) { c.ReturnCode = make([]byte, 33) },
		"no seat":         func(c *wire.DeviceConfirmation, _ *string) { c.Seat = "" },
		"a made-up seat":  func(c *wire.DeviceConfirmation, _ *string) { c.Seat = "throne" },
		"no way":          func(c *wire.DeviceConfirmation, _ *string) { c.Way = "" },
		"by a code":       func(c *wire.DeviceConfirmation, _ *string) { c.Way = wire.BindingCode },
		"nobody's laptop": func(_ *wire.DeviceConfirmation, id *string) { *id = "" },
		"a path for a laptop": func(_ *wire.DeviceConfirmation, id *string) {
			*id = "dev-../../../../../../../../../"
		},
	} {
		said, id := confirmation32(s.DeviceNonce), laptop
		change(&said, &id)
		if err := h.Confirm(t.Context(), id, said, "192.0.2.0/24"); codeOf(err) != reason.KeyConfirmationRefused {
			t.Errorf("%s: %v", name, err)
		}
	}
	if h.count(kindConfirmation) != 0 {
		t.Error("a refused confirmation was kept")
	}
}

func TestNetworksOfBrowserAndLaptop(t *testing.T) {
	h := newHouse(t)
	key := h.keyOf(h.person)
	for name, tt := range map[string]struct {
		browser, agent string
		same           bool
	}{
		"same":             {"192.0.2.10:1", "192.0.2.0/24", true},
		"elsewhere":        {"198.51.100.7:1", "192.0.2.0/24", false},
		"agent unknown":    {"192.0.2.10:1", "", false},
		"IPv6 /56":         {"[2001:db8:0:1a::1]:1", "2001:db8::/56", true},
		"IPv6 another /56": {"[2001:db8:0:10a::1]:1", "2001:db8::/56", false},
	} {
		b := h.browser()
		b.address = tt.browser
		handle := h.handle(func(s *wire.StartHandle) { s.Network = netOf(tt.browser) })
		s := b.touch(handle, key)
		said := confirmation32(s.DeviceNonce)
		if err := h.Confirm(t.Context(), laptop, said, tt.agent); err != nil {
			t.Fatal(err)
		}
		login, err := h.Redeem(t.Context(), b.finish(handle, encode(said.ReturnCode)), preHash(), h.portal.ID)
		if err != nil || login.Binding.SameNetwork != tt.same {
			t.Errorf("%s: %+v, %v", name, login.Binding, err)
		}
	}
}

// netOf is the network of a browser's address.
func netOf(address string) string { return browserNetwork(&http.Request{RemoteAddr: address}) }

func TestASignInStaysOnItsNetwork(t *testing.T) {
	h := newHouse(t)
	key := h.keyOf(h.person)
	for name, tt := range map[string]struct{ portal, address string }{
		"elsewhere":       {"192.0.2.0/24", "198.51.100.7:1"},
		"another family":  {"192.0.2.0/24", "[2001:db8::1]:1"},
		"portal unknown":  {"", "192.0.2.10:1"},
		"browser unknown": {"192.0.2.0/24", "pipe"},
		"both unknown":    {"", "pipe"},
	} {
		b, handle := h.browser(), h.handle(func(s *wire.StartHandle) { s.Network = tt.portal })
		s := b.touch(handle, key)
		b.address = tt.address
		request := deviceRequest{Handle: handle, ReturnCode: h.confirm(s.DeviceNonce)}
		if status, code := b.post("/ceremony/sign-in/device", request, nil); status != http.StatusForbidden || code != reason.KeyOtherNetwork {
			t.Errorf("%s: %d %s", name, status, code)
		}
	}
	if got := h.recorder.outcomes(t); got[len(got)-1] != "sign-in refused "+reason.KeyOtherNetwork {
		t.Errorf("recorded %q", got)
	}
}

func TestRefusedConfirmationsAreRecordedAtAPace(t *testing.T) {
	h := newHouse(t)
	wrong := func(b *browser, handle string) (records int) {
		before := len(h.recorder.records)
		for range 3 * refusalBurst {
			if _, code := b.post("/ceremony/sign-in/device", deviceRequest{Handle: handle}, nil); code != reason.KeyDeviceNotConfirmed {
				t.Fatal(code)
			}
		}
		return len(h.recorder.records) - before
	}
	for _, person := range []wire.Person{h.person, h.newPerson("chen.ml")} {
		b, handle := h.browser(), h.handle(nil)
		b.touch(handle, h.keyOf(person))
		if n := wrong(b, handle); n != refusalBurst {
			t.Errorf("%s wrote %d records", person.Account, n)
		}
		h.pass(time.Minute)
		if n := wrong(b, handle); n != 1 {
			t.Errorf("%s wrote %d records after a minute", person.Account, n)
		}
	}
}

func TestTheDeviceNeedsTheKeyFirst(t *testing.T) {
	h := newHouse(t)
	b, handle := h.browser(), h.handle(nil)
	s := b.start(handle)
	if status, code := b.post("/ceremony/sign-in/device", deviceRequest{Handle: handle, ReturnCode: h.confirm(s.DeviceNonce)}, nil); status != http.StatusForbidden || code != reason.KeyTouchNeeded {
		t.Errorf("%d %s", status, code)
	}
}

func TestASignInStaysWithItsHandle(t *testing.T) {
	h := newHouse(t)
	key := h.keyOf(h.person)
	b, handle := h.browser(), h.handle(nil)
	s := b.touch(handle, key)
	elsewhere := h.handle(func(s *wire.StartHandle) { s.ReturnPath = "/elsewhere" })
	if status, code := b.post("/ceremony/sign-in/device", deviceRequest{Handle: elsewhere, ReturnCode: h.confirm(s.DeviceNonce)}, nil); code != reason.KeyNoHandle {
		t.Errorf("%d %s", status, code)
	}
}

func TestLoginCodes(t *testing.T) {
	h := newHouse(t)
	key := h.keyOf(h.person)
	newCode := func() string {
		b, handle := h.browser(), h.handle(nil)
		s := b.touch(handle, key)
		return b.finish(handle, h.confirm(s.DeviceNonce))
	}
	refused := func(name, code string, hash [32]byte, portal string) {
		t.Helper()
		if _, err := h.Redeem(t.Context(), code, hash, portal); !errors.Is(err, wire.ErrLoginRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	code := newCode()
	refused("no code", "", preHash(), h.portal.ID)
	refused("another code", encode(make([]byte, 32)), preHash(), h.portal.ID)
	// Neither burned this one.
	if _, err := h.Redeem(t.Context(), code, preHash(), h.portal.ID); err != nil {
		t.Fatal(err)
	}
	refused("spent", code, preHash(), h.portal.ID)
	h.restart()
	refused("spent, after a restart", code, preHash(), h.portal.ID)

	carried := newCode()
	refused("another browser", carried, [32]byte{}, h.portal.ID)
	refused("refused in another browser before", carried, preHash(), h.portal.ID)
	carried = newCode()
	refused("another portal", carried, preHash(), "por-00000000000000000000000000")
	refused("refused at another portal before", carried, preHash(), h.portal.ID)

	signedOut := newCode()
	if _, err := h.directory.SignOut(t.Context(), h.person.ID); err != nil {
		t.Fatal(err)
	}
	refused("signed out meanwhile", signedOut, preHash(), h.portal.ID)
	h.pass(time.Second)

	late := newCode()
	h.pass(loginCodeLife)
	refused("expired", late, preHash(), h.portal.ID)

	contested := newCode()
	results := make(chan error, 8)
	for range cap(results) {
		go func() {
			_, err := h.Redeem(t.Context(), contested, preHash(), h.portal.ID)
			results <- err
		}()
	}
	good := 0
	for range cap(results) {
		if err := <-results; err == nil {
			good++
		} else if !errors.Is(err, wire.ErrLoginRefused) {
			t.Error(err)
		}
	}
	if good != 1 {
		t.Errorf("%d of 8 redeemed one code", good)
	}
}

func TestSecretsAreKeptAsDigests(t *testing.T) {
	h := newHouse(t)
	secret := h.link(h.person)
	b, handle := h.browser(), h.handle(nil)
	s := b.touch(handle, h.keyOf(h.person))
	returnCode := h.confirm(s.DeviceNonce)
	code := b.finish(handle, returnCode)
	page, err := h.db.Scan(t.Context(), "/v1/", "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range page.Records {
		for name, text := range map[string]string{"link": secret, "return code": returnCode, "login code": code, "session": b.cookies[cookieSession]} {
			if strings.Contains(r.Key+string(r.Value), text) {
				t.Errorf("%s holds a %s in the clear", r.Key, name)
			}
		}
	}
}
