package ceremony

import (
	"net/http"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// signedIn returns a browser with a session, and its key.
func signedIn(t *testing.T) (*house, *browser, *softKey) {
	t.Helper()
	h := newHouse(t)
	key := h.keyOf(h.person)
	b, handle := h.browser(), h.handle(nil)
	s := b.touch(handle, key)
	b.finish(handle, h.confirm(s.DeviceNonce))
	return h, b, key
}

func TestASecondPortalNeedsTheLaptopButNotTheKey(t *testing.T) {
	h, b, _ := signedIn(t)
	h.pass(sessionIdle - time.Second)
	handle := h.handle(nil)
	s := b.start(handle)
	if s.KeyNeeded || s.Person != h.person.Name {
		t.Fatalf("started %+v", s)
	}
	if status, code := b.post("/ceremony/sign-in/device", deviceRequest{Handle: handle, ReturnCode: encode(make([]byte, 32))}, nil); code != reason.KeyDeviceNotConfirmed {
		t.Errorf("without the laptop: %d %s", status, code)
	}
	signedInAt := h.now.Add(-(sessionIdle - time.Second))
	login, err := h.Redeem(t.Context(), b.finish(handle, h.confirm(s.DeviceNonce)), preHash(), h.portal.ID)
	if err != nil || !login.SignIn.At.Equal(signedInAt) || !login.Binding.At.Equal(h.now) {
		t.Errorf("login %+v, %v", login, err)
	}
	h.pass(sessionIdle - time.Second) // that use put the idle limit off
	if b.start(h.handle(nil)).KeyNeeded {
		t.Error("the session ended too early")
	}
}

func TestTheSessionEndsWhenIdle(t *testing.T) {
	h, b, _ := signedIn(t)
	h.pass(sessionIdle)
	if !b.start(h.handle(nil)).KeyNeeded {
		t.Error("after 15 minutes no key was asked for")
	}
}

func TestTheSessionEndsAfterTwelveHours(t *testing.T) {
	h, b, key := signedIn(t)
	for passed := time.Duration(0); passed < sessionLife-sessionIdle; passed += 14 * time.Minute {
		h.pass(14 * time.Minute)
		handle := h.handle(nil)
		s := b.start(handle)
		if s.KeyNeeded {
			t.Fatalf("ended after %s", passed)
		}
		b.finish(handle, h.confirm(s.DeviceNonce))
	}
	h.pass(14 * time.Minute)
	handle := h.handle(nil)
	s := b.start(handle)
	if !s.KeyNeeded {
		t.Error("after 12 hours no key was asked for")
	}
	if status, code := b.post("/ceremony/sign-in/device", deviceRequest{Handle: handle, ReturnCode: h.confirm(s.DeviceNonce)}, nil); code != reason.KeyTouchNeeded {
		t.Errorf("%d %s", status, code)
	}
	b.touch(h.handle(nil), key)
}

func TestAPortalMayAskForAFreshTouch(t *testing.T) {
	h, b, key := signedIn(t)
	h.pass(time.Minute)
	handle := h.handle(func(s *wire.StartHandle) { s.FreshAfter = h.now })
	s := b.start(handle)
	if !s.KeyNeeded {
		t.Error("no key was asked for")
	}
	if status, code := b.post("/ceremony/sign-in/device", deviceRequest{Handle: handle, ReturnCode: h.confirm(s.DeviceNonce)}, nil); code != reason.KeyTouchNeeded {
		t.Errorf("skipping the key: %d %s", status, code)
	}
	s = b.touch(handle, key)
	b.finish(handle, h.confirm(s.DeviceNonce))
}

func TestTheSessionFollowsPersonAndKey(t *testing.T) {
	t.Run("person disabled", func(t *testing.T) {
		h, b, _ := signedIn(t)
		handle := h.handle(nil)
		s := b.start(handle)
		if _, err := h.directory.SetDisabled(t.Context(), h.person.ID, true); err != nil {
			t.Fatal(err)
		}
		if status, code := b.post("/ceremony/sign-in/device", deviceRequest{Handle: handle, ReturnCode: h.confirm(s.DeviceNonce)}, nil); code != reason.KeyTouchNeeded {
			t.Errorf("%d %s", status, code)
		}
		if !b.start(h.handle(nil)).KeyNeeded {
			t.Error("a disabled person's session counts")
		}
	})
	t.Run("person signed out", func(t *testing.T) {
		h, b, key := signedIn(t)
		handle := h.handle(nil)
		s := b.start(handle)
		if _, err := h.directory.SignOut(t.Context(), h.person.ID); err != nil {
			t.Fatal(err)
		}
		if status, code := b.post("/ceremony/sign-in/device", deviceRequest{Handle: handle, ReturnCode: h.confirm(s.DeviceNonce)}, nil); code != reason.KeyTouchNeeded {
			t.Errorf("%d %s", status, code)
		}
		if !b.start(h.handle(nil)).KeyNeeded {
			t.Error("a session from before the sign-out counts")
		}
		h.pass(time.Second)
		handle = h.handle(nil)
		s = b.touch(handle, key)
		b.finish(handle, h.confirm(s.DeviceNonce))
	})
	t.Run("key revoked", func(t *testing.T) {
		h, b, key := signedIn(t)
		kept, err := h.directory.KeyByCredential(t.Context(), key.credentialID)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.directory.RevokeKey(t.Context(), kept.ID); err != nil {
			t.Fatal(err)
		}
		if !b.start(h.handle(nil)).KeyNeeded {
			t.Error("a revoked key's session counts")
		}
	})
}

func TestSigningOutEndsTheSession(t *testing.T) {
	h, b, _ := signedIn(t)
	copied := b.cookies[cookieSession]
	if status, code := b.post("/ceremony/sign-out", struct{}{}, nil); status != http.StatusOK {
		t.Fatal(status, code)
	}
	if b.cookies[cookieSession] != "" || h.count(kindSession) != 0 {
		t.Error("the session is left")
	}
	b.cookies[cookieSession] = copied
	if !b.start(h.handle(nil)).KeyNeeded {
		t.Error("a copied cookie outlives the sign-out")
	}
	if status, code := b.post("/ceremony/sign-out", struct{}{}, nil); status != http.StatusOK {
		t.Errorf("signing out twice: %d %s", status, code)
	}
}

func TestEachTouchGivesANewSession(t *testing.T) {
	h, b, key := signedIn(t)
	old := b.cookies[cookieSession]
	handle := h.handle(func(s *wire.StartHandle) { s.FreshAfter = h.now.Add(time.Second) })
	h.pass(time.Minute)
	b.touch(handle, key)
	if b.cookies[cookieSession] == old || h.count(kindSession) != 1 {
		t.Error("the old session is left")
	}
}

func TestASessionSurvivesARestart(t *testing.T) {
	h, b, _ := signedIn(t)
	h.restart()
	b.h = h
	if b.start(h.handle(nil)).KeyNeeded {
		t.Error("lost")
	}
}

func TestSessionCookiesThatNobodyGaveOut(t *testing.T) {
	h, _, _ := signedIn(t)
	for _, value := range []string{"", "x", encode(make([]byte, 32)), encode(make([]byte, 31)), "../../pdp-session"} {
		b := h.browser()
		if value != "" {
			b.cookies[cookieSession] = value
		}
		if !b.start(h.handle(nil)).KeyNeeded {
			t.Errorf("%q is a session", value)
		}
	}
}
