package ceremony

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/directory"
	"github.com/menshen-zt/menshen/pdp/store"
)

func TestAWholeSignIn(t *testing.T) {
	h := newHouse(t)
	key := h.keyOf(h.person)
	b, handle := h.browser(), h.handle(nil)
	s := b.start(handle)
	if s.Options.UserVerification != "required" || len(s.Options.Allow) != 0 || len(s.Options.Challenge) != 43 {
		t.Errorf("options %+v", s.Options)
	}
	if !s.KeyNeeded || s.Options.Challenge == "" || s.AgentPort != wire.DefaultLoopbackPort || s.ExpiresIn != 300 {
		t.Errorf("started %+v", s)
	}
	var who keyAnswer
	if status, code := b.post("/ceremony/sign-in/key", key.get(t, s.Options.Challenge, nil), &who); status != http.StatusOK || who.Person != h.person.Name {
		t.Fatal(status, code, who)
	}
	code := b.finish(handle, h.confirm(s.DeviceNonce))
	login, err := h.Redeem(t.Context(), code, preHash(), h.portal.ID)
	if err != nil {
		t.Fatal(err)
	}
	want := wire.Login{
		SignIn: wire.SignIn{
			PersonID: h.person.ID, KeyID: login.SignIn.KeyID, At: h.now, AAL: 3, UserVerified: true, AMR: []string{"hwk", "pin", "mfa"},
		},
		Binding: wire.DeviceBinding{DeviceID: laptop, At: h.now, Way: wire.BindingFetch, Seat: wire.SeatActive, SameNetwork: true},
		Portal:  h.portal.ID, ReturnPath: "/leave?week=47", Network: "192.0.2.0/24",
	}
	if login.SignIn.KeyID == "" || login.SignIn.PersonID != want.SignIn.PersonID || !slices.Equal(login.SignIn.AMR, want.SignIn.AMR) ||
		login.SignIn.AAL != 3 || !login.SignIn.At.Equal(h.now) || login.SignIn.TestKey || login.Binding != want.Binding ||
		login.Portal != want.Portal || login.ReturnPath != want.ReturnPath || login.Network != want.Network {
		t.Errorf("login %+v, want %+v", login, want)
	}
	if got := h.recorder.outcomes(t); !slices.Equal(got, []string{"key-added accepted", "sign-in key-proven", "sign-in signed-in"}) {
		t.Errorf("recorded %q", got)
	}
	last := h.recorder.records[2]
	if last.Subject != h.person.ID || last.Device != laptop || last.Portal != h.portal.ID || last.Agency != "moda" {
		t.Errorf("record %+v", last)
	}
}

// startedFor starts a sign-in and returns what an answer needs.
func startedFor(h *house) (*browser, started) {
	b := h.browser()
	return b, b.start(h.handle(nil))
}

func TestForgedAnswersAreRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(h *house, f *forgery)
		want   string
	}{
		"another challenge":       {func(_ *house, f *forgery) { f.Challenge = encode(make([]byte, 32)) }, reason.KeyNotProven},
		"another origin":          {func(_ *house, f *forgery) { f.Origin = "https://pdp.test.evil.example" }, reason.KeyNotProven},
		"plain http":              {func(_ *house, f *forgery) { f.Origin = "http://pdp.test" }, reason.KeyNotProven},
		"in another site's frame": {func(_ *house, f *forgery) { f.CrossOrigin = true }, reason.KeyNotProven},
		"another relying party":   {func(_ *house, f *forgery) { f.RPID = "evil.example" }, reason.KeyNotProven},
		"a registration's data":   {func(_ *house, f *forgery) { f.Type = "webauthn.create" }, reason.KeyNotProven},
		"another key's signature": {func(h *house, f *forgery) { f.Signer = newECKey(h.t) }, reason.KeyNotProven},
		"user not verified":       {func(_ *house, f *forgery) { f.Flags &^= flagVerified }, reason.KeyUserNotVerified},
		"user not present":        {func(_ *house, f *forgery) { f.Flags &^= flagPresent }, reason.KeyNotProven},
		"backup eligible now":     {func(_ *house, f *forgery) { f.Flags |= flagBE }, reason.KeySynced},
		"backed up now":           {func(_ *house, f *forgery) { f.Flags |= flagBS }, reason.KeySynced},
		"no user handle":          {func(_ *house, f *forgery) { f.UserHandle = nil }, reason.KeyUnknown},
		"unknown user handle":     {func(_ *house, f *forgery) { f.UserHandle = make([]byte, 32) }, reason.KeyUnknown},
		"another's user handle":   {func(h *house, f *forgery) { f.UserHandle = h.newPerson("chen.ml").Handle }, reason.KeyUnknown},
		"another's with a key": {func(h *house, f *forgery) {
			chen := h.newPerson("chen.ml")
			h.keyOf(chen)
			f.UserHandle = chen.Handle
		}, reason.KeyUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			key := h.keyOf(h.person)
			b, s := startedFor(h)
			status, code := b.post("/ceremony/sign-in/key", key.get(t, s.Options.Challenge, func(f *forgery) { tt.change(h, f) }), nil)
			if status != http.StatusForbidden || code != tt.want {
				t.Errorf("%d %s, want 403 %s", status, code, tt.want)
			}
			h.nobodySignedIn(b)
			// An honest answer to the same challenge still works.
			if status, code := b.post("/ceremony/sign-in/key", key.get(t, s.Options.Challenge, nil), nil); status != http.StatusOK {
				t.Errorf("afterwards: %d %s", status, code)
			}
		})
	}
}

func (h *house) nobodySignedIn(b *browser) {
	h.t.Helper()
	if b.cookies[cookieSession] != "" || h.count(kindSession) != 0 || h.count(kindSpent) != 0 {
		h.t.Error("a refused answer left something")
	}
}

func TestAnUnknownKeyIsRefused(t *testing.T) {
	h := newHouse(t)
	key := h.maker.newKey(t)
	key.userHandle = h.person.Handle
	b, s := startedFor(h)
	if status, code := b.post("/ceremony/sign-in/key", key.get(t, s.Options.Challenge, nil), nil); status != http.StatusForbidden || code != reason.KeyUnknown {
		t.Errorf("%d %s", status, code)
	}
	h.nobodySignedIn(b)
}

func TestADisabledPersonIsRefused(t *testing.T) {
	h := newHouse(t)
	key := h.keyOf(h.person)
	if _, err := h.directory.SetDisabled(t.Context(), h.person.ID, true); err != nil {
		t.Fatal(err)
	}
	h.refusedAfterProof(key, reason.KeyPersonDisabled)
}

func TestARevokedKeyIsRefused(t *testing.T) {
	h := newHouse(t)
	key := h.keyOf(h.person)
	kept, err := h.directory.KeyByCredential(t.Context(), key.credentialID)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.directory.RevokeKey(t.Context(), kept.ID); err != nil {
		t.Fatal(err)
	}
	h.refusedAfterProof(key, reason.KeyIsRevoked)
}

// refusedAfterProof signs in with a key that proves itself and is refused for
// another reason, which must be on record.
func (h *house) refusedAfterProof(key *softKey, want string) {
	h.t.Helper()
	b, s := startedFor(h)
	before := h.count(kindSession)
	status, code := b.post("/ceremony/sign-in/key", key.get(h.t, s.Options.Challenge, nil), nil)
	if status != http.StatusForbidden || code != want || b.cookies[cookieSession] != "" || h.count(kindSession) != before {
		h.t.Errorf("%d %s, want %s", status, code, want)
	}
	got := h.recorder.outcomes(h.t)
	if len(got) == 0 || got[len(got)-1] != "sign-in refused "+want {
		h.t.Errorf("recorded %q", got)
	}
	if last := h.recorder.records[len(h.recorder.records)-1]; last.Subject != h.person.ID {
		h.t.Errorf("recorded for %q", last.Subject)
	}
}

func TestAClonedKeyIsRefusedAndRecorded(t *testing.T) {
	h := newHouse(t)
	key := h.keyOf(h.person)
	clone := *key
	for range 3 {
		h.browser().touch(h.handle(nil), key)
	}
	h.refusedAfterProof(&clone, reason.KeyCloned)
	clone.count = key.count - 1 // the same counter once more
	h.refusedAfterProof(&clone, reason.KeyCloned)
	clone.count = 1<<32 - 1 // wraps to zero
	h.refusedAfterProof(&clone, reason.KeyCloned)
}

// failing is a directory whose TouchKey fails.
type failing struct {
	Directory
	err error
}

func (f failing) TouchKey(context.Context, string, uint32, time.Time) error { return f.err }

func TestAUseThatCannotBeKeptRefuses(t *testing.T) {
	for want, err := range map[string]error{
		reason.KeyIsRevoked: fmt.Errorf("revoked meanwhile: %w", store.ErrConflict),
		reason.KeyCloned:    directory.ErrSignCount,
		reason.Unavailable:  fmt.Errorf("x: %w", store.ErrUnavailable),
	} {
		h := newHouse(t)
		key := h.keyOf(h.person)
		h.Ceremony.directory = failing{h.directory, err}
		b, s := startedFor(h)
		if _, code := b.post("/ceremony/sign-in/key", key.get(t, s.Options.Challenge, nil), nil); code != want || h.count(kindSession) != 0 {
			t.Errorf("%s, want %s", code, want)
		}
	}
}

// forgiving is a directory that lets every use of a key pass: what is proven
// of a key is judged here too, not there alone.
type forgiving struct{ Directory }

func (forgiving) TouchKey(context.Context, string, uint32, time.Time) error { return nil }

func TestClonedAndRevokedKeysAreRefusedHereToo(t *testing.T) {
	h := newHouse(t)
	key := h.keyOf(h.person)
	clone := *key
	h.browser().touch(h.handle(nil), key)
	h.Ceremony.directory = forgiving{h.directory}
	h.refusedAfterProof(&clone, reason.KeyCloned)
	kept, err := h.directory.KeyByCredential(t.Context(), key.credentialID)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.directory.RevokeKey(t.Context(), kept.ID); err != nil {
		t.Fatal(err)
	}
	h.refusedAfterProof(key, reason.KeyIsRevoked)
}

func TestAKeyWithoutACounterSignsInAgain(t *testing.T) {
	h := newHouse(t)
	key := h.keyOf(h.person)
	for range 2 {
		b, s := startedFor(h)
		request := key.get(t, s.Options.Challenge, func(f *forgery) { f.Count = 0 })
		if status, code := b.post("/ceremony/sign-in/key", request, nil); status != http.StatusOK {
			t.Fatal(status, code)
		}
	}
}

func TestAChallengeWorksOnce(t *testing.T) {
	h := newHouse(t)
	key := h.keyOf(h.person)
	b, s := startedFor(h)
	request := key.get(t, s.Options.Challenge, nil)
	if status, code := b.post("/ceremony/sign-in/key", request, nil); status != http.StatusOK {
		t.Fatal(status, code)
	}
	if status, code := b.post("/ceremony/sign-in/key", request, nil); status != http.StatusForbidden {
		t.Errorf("replayed: %d %s", status, code)
	}
	// With a counter that grew, only the burned challenge is in the way.
	again := key.get(t, s.Options.Challenge, nil)
	if status, code := b.post("/ceremony/sign-in/key", again, nil); code != reason.KeySignInSpent {
		t.Errorf("challenge again: %d %s", status, code)
	}
	h.restart()
	b.h = h
	if status, code := b.post("/ceremony/sign-in/key", key.get(t, s.Options.Challenge, nil), nil); code != reason.KeySignInSpent {
		t.Errorf("after a restart: %d %s", status, code)
	}
}

func TestOfTwoEqualAnswersOneSignsIn(t *testing.T) {
	h := newHouse(t)
	key := h.keyOf(h.person)
	b, s := startedFor(h)
	request := key.get(t, s.Options.Challenge, nil)
	var wait sync.WaitGroup
	var mu sync.Mutex
	good := 0
	for range 8 {
		twin := h.browser()
		twin.cookies[cookieCeremony] = b.cookies[cookieCeremony]
		wait.Go(func() {
			status, _ := twin.post("/ceremony/sign-in/key", request, nil)
			mu.Lock()
			defer mu.Unlock()
			if status == http.StatusOK {
				good++
			}
		})
	}
	wait.Wait()
	if good != 1 || h.count(kindSession) != 1 {
		t.Errorf("%d of 8 signed in, %d sessions", good, h.count(kindSession))
	}
}

func TestASignInExpires(t *testing.T) {
	h := newHouse(t)
	key := h.keyOf(h.person)
	b, s := startedFor(h)
	request := key.get(t, s.Options.Challenge, nil)
	h.pass(ceremonyLife)
	if status, code := b.post("/ceremony/sign-in/key", request, nil); status != http.StatusForbidden || code != reason.KeySignInExpired {
		t.Errorf("%d %s", status, code)
	}
}

func TestASignInBelongsToItsBrowser(t *testing.T) {
	h := newHouse(t)
	key := h.keyOf(h.person)
	_, s := startedFor(h)
	request := key.get(t, s.Options.Challenge, nil)
	thief := h.browser()
	if status, code := thief.post("/ceremony/sign-in/key", request, nil); code != reason.KeySignInExpired {
		t.Errorf("without a cookie: %d %s", status, code)
	}
	thief.start(h.handle(nil)) // a ceremony of the thief's own
	if status, code := thief.post("/ceremony/sign-in/key", request, nil); code != reason.KeyNotProven {
		t.Errorf("with another ceremony's cookie: %d %s", status, code)
	}
	h.nobodySignedIn(thief)
}

func TestHandlesThatNobodySealed(t *testing.T) {
	h := newHouse(t)
	foreign, err := h.box.Seal("device-nonce", h.now.Add(time.Hour), wire.StartHandle{Portal: h.portal.ID, ReturnPath: "/"})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ handle, want string }{
		"none":                {"", reason.KeyNoHandle},
		"garbage":             {"AAAA", reason.KeyNoHandle},
		"another purpose":     {foreign, reason.KeyNoHandle},
		"changed":             {h.handle(nil)[1:], reason.KeyNoHandle},
		"without a cookie":    {h.handle(func(s *wire.StartHandle) { s.PreCookieHash = nil }), reason.KeyNoHandle},
		"another site's path": {h.handle(func(s *wire.StartHandle) { s.ReturnPath = "//evil.example" }), reason.KeyNoHandle},
	} {
		if status, code := h.browser().post("/ceremony/sign-in/start", startRequest{Handle: tt.handle}, nil); status != http.StatusForbidden || code != tt.want {
			t.Errorf("%s: %d %s", name, status, code)
		}
	}
	late := h.handle(nil)
	h.pass(wire.StartHandleLife)
	if status, code := h.browser().post("/ceremony/sign-in/start", startRequest{Handle: late}, nil); code != reason.KeySignInExpired {
		t.Errorf("expired: %d %s", status, code)
	}
}

func TestStartingWritesNothing(t *testing.T) {
	h := newHouse(t)
	before, err := h.db.Scan(t.Context(), "/v1/", "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		b, s := startedFor(h)
		key := h.maker.newKey(t)
		key.userHandle = h.person.Handle
		b.post("/ceremony/sign-in/key", key.get(t, s.Options.Challenge, nil), nil)
		b.post("/ceremony/sign-in/device", deviceRequest{Handle: "x", ReturnCode: "y"}, nil)
	}
	after, err := h.db.Scan(t.Context(), "/v1/", "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	if len(after.Records) != len(before.Records) || after.Revision != before.Revision {
		t.Errorf("strangers wrote: %d records before, %d after", len(before.Records), len(after.Records))
	}
	if n := len(h.recorder.records); n > 1 {
		t.Errorf("strangers wrote %d audit records", n)
	}
	h.pass(tallyEvery)
	b, s := startedFor(h)
	key := h.maker.newKey(t)
	key.userHandle = h.person.Handle
	b.post("/ceremony/sign-in/key", key.get(t, s.Options.Challenge, nil), nil)
	if last := h.recorder.records[len(h.recorder.records)-1]; !strings.Contains(string(last.Detail), `"count":50`) {
		t.Errorf("the strangers were not counted: %s", last.Detail)
	}
}

func TestNoSignInCountsThatIsNotRecorded(t *testing.T) {
	h := newHouse(t)
	key := h.keyOf(h.person)
	b, handle := h.browser(), h.handle(nil)
	s := b.start(handle)
	h.recorder.full = true
	if status, code := b.post("/ceremony/sign-in/key", key.get(t, s.Options.Challenge, nil), nil); status != http.StatusServiceUnavailable || code != reason.AuditClosed {
		t.Errorf("key: %d %s", status, code)
	}
	if h.count(kindSession) != 0 || b.cookies[cookieSession] != "" {
		t.Error("an unrecorded session")
	}
	h.recorder.full = false
	s = b.touch(handle, key)
	code := h.confirm(s.DeviceNonce)
	h.recorder.full = true
	if status, code := b.post("/ceremony/sign-in/device", deviceRequest{Handle: handle, ReturnCode: code}, nil); status != http.StatusServiceUnavailable || code != reason.AuditClosed {
		t.Errorf("device: %d %s", status, code)
	}
	if h.count(kindLoginCode) != 0 {
		t.Error("an unrecorded login code")
	}
}

func TestAPortalThatWasTakenAway(t *testing.T) {
	h := newHouse(t)
	handle := h.handle(func(s *wire.StartHandle) { s.Portal = "por-00000000000000000000000000" })
	if _, err := h.Describe(t.Context(), handle); err == nil {
		t.Error("described")
	}
	page, err := h.Describe(t.Context(), h.handle(func(s *wire.StartHandle) { s.Why = []wire.Reason{{Code: reason.TrustLow}} }))
	if err != nil || page.Portal.ID != h.portal.ID || len(page.Why) != 1 || page.Why[0].Code != reason.TrustLow {
		t.Errorf("%+v, %v", page, err)
	}
	key := h.keyOf(h.person)
	b := h.browser()
	s := b.touch(handle, key)
	if status, code := b.post("/ceremony/sign-in/device", deviceRequest{Handle: handle, ReturnCode: h.confirm(s.DeviceNonce)}, nil); code != reason.KeyNoHandle {
		t.Errorf("%d %s", status, code)
	}
}

// The directory in use here keeps the contract that admit relies on.
var _ Directory = (*directory.Directory)(nil)
