package ceremony

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

func TestRegistrationOfAHardwareKey(t *testing.T) {
	h := newHouse(t)
	key := h.maker.newKey(t)
	done, status, code := h.registerKey(h.person, key, nil)
	if status != http.StatusOK {
		t.Fatal(status, code)
	}
	if done.Model != "Test Maker Key 5" || done.Nickname != "藍色金鑰" || done.Keys != 1 || done.Next == "" {
		t.Errorf("answer %+v", done)
	}
	kept, err := h.directory.KeyByCredential(t.Context(), key.credentialID)
	if err != nil {
		t.Fatal(err)
	}
	if !kept.Hardware || kept.PersonID != h.person.ID || !slices.Equal(kept.AAGUID, h.maker.aaguid[:]) || kept.Agency != "moda" {
		t.Errorf("kept %+v", kept)
	}
	if got := h.recorder.outcomes(t); !slices.Equal(got, []string{"key-added accepted"}) {
		t.Errorf("recorded %q", got)
	}
	if strings.Contains(string(h.recorder.records[0].Detail), encode(key.credentialID)) {
		t.Error("the credential id is in the audit log")
	}
}

func TestASecondKeyIsAskedForAndHasALinkOfItsOwn(t *testing.T) {
	h := newHouse(t)
	first, _, _ := h.registerKey(h.person, h.maker.newKey(t), nil)
	b := h.browser()
	var started registerStarted
	if status, code := b.post("/ceremony/register/start", registerStartRequest{Secret: first.Next}, &started); status != http.StatusOK {
		t.Fatal(status, code)
	}
	if started.Keys != 1 || len(started.Options.Exclude) != 1 {
		t.Errorf("the first key is not excluded: %+v", started)
	}
	second := h.maker.newKey(t)
	var done registerFinishAnswer
	request := registerFinishRequest{Credential: second.create(t, started.Options.Challenge, h.person.Handle, nil)}
	if status, code := b.post("/ceremony/register/finish", request, &done); status != http.StatusOK {
		t.Fatal(status, code)
	}
	if done.Keys != 2 || done.Next != "" || done.Nickname != done.Model {
		t.Errorf("answer %+v", done)
	}
	if h.count(kindLink) != 0 {
		t.Error("a link is left")
	}
}

// Each of these passes the library as it is configured by most, or a page that
// strips or forges attestation.
func TestForgedRegistrationsAreRefused(t *testing.T) {
	stranger := newMaker(t)
	for name, tt := range map[string]struct {
		change func(h *house, f *forgery)
		want   string
	}{
		"attestation stripped":         {func(_ *house, f *forgery) { f.Format, f.Chain = "none", nil }, reason.KeyNotAttested},
		"stripped, AAGUID zeroed":      {func(_ *house, f *forgery) { f.Format, f.Chain, f.AAGUID = "none", nil, uuid.Nil }, reason.KeyNotAttested},
		"another statement format":     {func(_ *house, f *forgery) { f.Format = "fido-u2f" }, reason.KeyNotAttested},
		"zero AAGUID":                  {func(_ *house, f *forgery) { f.AAGUID = uuid.Nil }, reason.KeyModelUnknown},
		"unknown model":                {func(_ *house, f *forgery) { f.AAGUID = uuid.New() }, reason.KeyModelUnknown},
		"test authenticator":           {func(_ *house, f *forgery) { f.AAGUID = testAAGUID }, reason.KeyTestRefused},
		"synced passkey":               {func(_ *house, f *forgery) { f.Flags |= flagBE }, reason.KeySynced},
		"synced and backed up":         {func(_ *house, f *forgery) { f.Flags |= flagBE | flagBS }, reason.KeySynced},
		"backed up without eligible":   {func(_ *house, f *forgery) { f.Flags |= flagBS }, reason.KeySynced},
		"user not verified":            {func(_ *house, f *forgery) { f.Flags &^= flagVerified }, reason.KeyUserNotVerified},
		"user not present":             {func(_ *house, f *forgery) { f.Flags &^= flagPresent }, reason.KeyAttestationUntrusted},
		"another challenge":            {func(_ *house, f *forgery) { f.Challenge = encode(make([]byte, 32)) }, reason.KeyAttestationUntrusted},
		"another origin":               {func(_ *house, f *forgery) { f.Origin = "https://pdp.test.evil.example" }, reason.KeyAttestationUntrusted},
		"another port":                 {func(_ *house, f *forgery) { f.Origin = "https://pdp.test:8443" }, reason.KeyAttestationUntrusted},
		"in another site's frame":      {func(_ *house, f *forgery) { f.CrossOrigin = true }, reason.KeyAttestationUntrusted},
		"another relying party":        {func(_ *house, f *forgery) { f.RPID = "evil.example" }, reason.KeyAttestationUntrusted},
		"an assertion's client data":   {func(_ *house, f *forgery) { f.Type = "webauthn.get" }, reason.KeyAttestationUntrusted},
		"an empty chain":               {func(_ *house, f *forgery) { f.Chain = [][]byte{} }, reason.KeyAttestationUntrusted},
		"a chain of rubbish":           {func(_ *house, f *forgery) { f.Chain = [][]byte{{1, 2, 3}} }, reason.KeyAttestationUntrusted},
		"signed by nobody's batch key": {func(_ *house, f *forgery) { f.Signer = newECKey(t) }, reason.KeyAttestationUntrusted},
		"chain of another maker": {func(_ *house, f *forgery) {
			f.Chain, f.Signer = [][]byte{stranger.batchDER, stranger.interDER}, stranger.batchKey
		}, reason.KeyAttestationUntrusted},
		"chain of another maker for this AAGUID": {func(h *house, f *forgery) {
			_, inter := certificate(t, authority("x"), stranger.root, stranger.interKey.Public(), stranger.rootKey)
			leaf, _ := certificate(t, h.maker.batchTemplate(), inter, stranger.batchKey.Public(), stranger.interKey)
			f.Chain, f.Signer = [][]byte{leaf, inter.Raw}, stranger.batchKey
		}, reason.KeyAttestationUntrusted},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			key := h.maker.newKey(t)
			_, status, code := h.registerKey(h.person, key, func(f *forgery) { tt.change(h, f) })
			if status != http.StatusForbidden || code != tt.want {
				t.Errorf("%d %s, want 403 %s", status, code, tt.want)
			}
			h.nothingRegistered(tt.want)
		})
	}
}

// nothingRegistered checks that a refusal was recorded and changed nothing.
func (h *house) nothingRegistered(code string) {
	h.t.Helper()
	if keys, err := h.directory.Keys(h.t.Context(), h.person.ID); err != nil || len(keys) != 0 {
		h.t.Errorf("keys %v, %v", keys, err)
	}
	if h.count(kindLink) != 1 {
		h.t.Error("the refused registration spent the link")
	}
	if got := h.recorder.outcomes(h.t); !slices.Equal(got, []string{"key-added refused " + code}) {
		h.t.Errorf("recorded %q", got)
	}
}

func TestSelfAttestationIsRefused(t *testing.T) {
	h := newHouse(t)
	key := h.maker.newKey(t)
	_, status, code := h.registerKey(h.person, key, func(f *forgery) { f.Chain, f.Signer = nil, key.key })
	if status != http.StatusForbidden || code != reason.KeySelfAttested {
		t.Error(status, code)
	}
	h.nothingRegistered(reason.KeySelfAttested)
}

func TestARegistrationLinkWorksOnceAndOnlyItself(t *testing.T) {
	h := newHouse(t)
	secret := h.link(h.person)
	for name, wrong := range map[string]string{
		"none": "", "short": "abc", "another": encode(make([]byte, 32)), "longer": secret + "A", "padded": secret + "=",
	} {
		if status, code := h.browser().post("/ceremony/register/start", registerStartRequest{Secret: wrong}, nil); status != http.StatusForbidden || code != reason.KeyLinkInvalid {
			t.Errorf("%s: %d %s", name, status, code)
		}
	}
	if h.count(kindLink) != 1 {
		t.Fatal("a wrong secret spent the link")
	}
	b, late := h.browser(), h.browser()
	var started, lateStarted registerStarted
	b.post("/ceremony/register/start", registerStartRequest{Secret: secret}, &started)
	late.post("/ceremony/register/start", registerStartRequest{Secret: secret}, &lateStarted)
	request := registerFinishRequest{Credential: h.maker.newKey(t).create(t, started.Options.Challenge, h.person.Handle, nil)}
	if status, code := b.post("/ceremony/register/finish", request, nil); status != http.StatusOK {
		t.Fatal(status, code)
	}
	// The same link again, from a browser that opened it in time, and across a restart.
	h.restart()
	late.h = h
	request.Credential = h.maker.newKey(t).create(t, lateStarted.Options.Challenge, h.person.Handle, nil)
	if status, code := late.post("/ceremony/register/finish", request, nil); status != http.StatusForbidden || code != reason.KeyLinkInvalid {
		t.Errorf("spent link: %d %s", status, code)
	}
	if status, code := h.browser().post("/ceremony/register/start", registerStartRequest{Secret: secret}, nil); code != reason.KeyLinkInvalid {
		t.Errorf("spent link: %d %s", status, code)
	}
}

func TestARegistrationLinkExpires(t *testing.T) {
	h := newHouse(t)
	secret := h.link(h.person)
	h.pass(time.Hour - time.Second)
	b := h.browser()
	var started registerStarted
	if status, code := b.post("/ceremony/register/start", registerStartRequest{Secret: secret}, &started); status != http.StatusOK {
		t.Fatal(status, code)
	}
	h.pass(time.Second)
	request := registerFinishRequest{Credential: h.maker.newKey(t).create(t, started.Options.Challenge, h.person.Handle, nil)}
	if status, code := b.post("/ceremony/register/finish", request, nil); code != reason.KeyLinkInvalid {
		t.Errorf("expired between start and finish: %d %s", status, code)
	}
	if status, code := b.post("/ceremony/register/start", registerStartRequest{Secret: secret}, nil); code != reason.KeyLinkInvalid {
		t.Errorf("expired: %d %s", status, code)
	}
}

func TestLinksHaveBounds(t *testing.T) {
	h := newHouse(t)
	for _, life := range []time.Duration{0, -time.Hour, 8 * 24 * time.Hour} {
		if _, err := h.NewLink(t.Context(), h.person.ID, life); err == nil {
			t.Errorf("a life of %s was accepted", life)
		}
	}
	if _, err := h.NewLink(t.Context(), "per-00000000000000000000000000", time.Hour); err == nil {
		t.Error("a link for nobody")
	}
	if _, err := h.directory.SetDisabled(t.Context(), h.person.ID, true); err != nil {
		t.Fatal(err)
	}
	var refusal *Refusal
	if _, err := h.NewLink(t.Context(), h.person.ID, time.Hour); !errors.As(err, &refusal) || refusal.Reason().Code != reason.KeyPersonDisabled {
		t.Errorf("a link for a disabled person: %v", err)
	}
}

func TestADisabledPersonRegistersNothing(t *testing.T) {
	h := newHouse(t)
	b, secret := h.browser(), h.link(h.person)
	var started registerStarted
	b.post("/ceremony/register/start", registerStartRequest{Secret: secret}, &started)
	if _, err := h.directory.SetDisabled(t.Context(), h.person.ID, true); err != nil {
		t.Fatal(err)
	}
	request := registerFinishRequest{Credential: h.maker.newKey(t).create(t, started.Options.Challenge, h.person.Handle, nil)}
	if status, code := b.post("/ceremony/register/finish", request, nil); code != reason.KeyPersonDisabled {
		t.Errorf("%d %s", status, code)
	}
	if status, code := b.post("/ceremony/register/start", registerStartRequest{Secret: secret}, nil); code != reason.KeyPersonDisabled {
		t.Errorf("%d %s", status, code)
	}
}

func TestAKeyIsRegisteredOnce(t *testing.T) {
	h := newHouse(t)
	key := h.keyOf(h.person)
	other := h.newPerson("chen.ml")
	_, status, code := h.registerKey(other, key, nil)
	if status != http.StatusConflict || code != reason.KeyAlreadyRegistered {
		t.Errorf("%d %s", status, code)
	}
	if kept, err := h.directory.KeyByCredential(t.Context(), key.credentialID); err != nil || kept.PersonID != h.person.ID {
		t.Errorf("the key moved: %+v, %v", kept, err)
	}
}

func TestARegistrationNeedsItsOwnCookie(t *testing.T) {
	h := newHouse(t)
	b, thief := h.browser(), h.browser()
	var started registerStarted
	b.post("/ceremony/register/start", registerStartRequest{Secret: h.link(h.person)}, &started)
	request := registerFinishRequest{Credential: h.maker.newKey(t).create(t, started.Options.Challenge, h.person.Handle, nil)}
	if status, code := thief.post("/ceremony/register/finish", request, nil); code != reason.KeySignInExpired {
		t.Errorf("without the cookie: %d %s", status, code)
	}
	thief.cookies[cookieRegistration] = b.cookies[cookieRegistration] + "A"
	if status, code := thief.post("/ceremony/register/finish", request, nil); code != reason.KeySignInExpired {
		t.Errorf("with a forged cookie: %d %s", status, code)
	}
	// A sign-in's cookie is sealed for another purpose.
	s := h.browser()
	s.start(h.handle(nil))
	thief.cookies[cookieRegistration] = s.cookies[cookieCeremony]
	if status, code := thief.post("/ceremony/register/finish", request, nil); code != reason.KeySignInExpired {
		t.Errorf("with a sign-in's cookie: %d %s", status, code)
	}
}

func TestNothingIsRegisteredThatIsNotRecorded(t *testing.T) {
	h := newHouse(t)
	h.recorder.full = true
	_, status, code := h.registerKey(h.person, h.maker.newKey(t), nil)
	if status != http.StatusServiceUnavailable || code != reason.AuditClosed {
		t.Errorf("%d %s", status, code)
	}
	if keys, err := h.directory.Keys(t.Context(), h.person.ID); err != nil || len(keys) != 0 {
		t.Errorf("keys %v, %v", keys, err)
	}
	if h.count(kindLink) != 1 {
		t.Error("the link is lost")
	}
}

// vague is a directory that keeps a key and does not know that it did.
type vague struct{ Directory }

func (v vague) AddKey(ctx context.Context, key wire.SecurityKey) (wire.SecurityKey, error) {
	if _, err := v.Directory.AddKey(ctx, key); err != nil {
		return wire.SecurityKey{}, err
	}
	return wire.SecurityKey{}, fmt.Errorf("x: %w", store.ErrIndeterminate)
}

func TestALinkIsNotGivenBackWhereTheKeyMayBeKept(t *testing.T) {
	h := newHouse(t)
	h.Ceremony.directory = vague{h.directory}
	_, status, code := h.registerKey(h.person, h.maker.newKey(t), nil)
	if status != http.StatusServiceUnavailable || code != reason.Unavailable {
		t.Errorf("%d %s", status, code)
	}
	if h.count(kindLink) != 0 {
		t.Error("the link would register a second key")
	}
}

func TestNicknames(t *testing.T) {
	for text, ok := range map[string]bool{
		"": true, "  blue  ": true, "藍色金鑰": true, strings.Repeat("鑰", 40): true,
		strings.Repeat("鑰", 41): false, "a\x00b": false, "a\nb": false, "\u202eexe": false, "\xff": false,
	} {
		if _, err := checkNickname(text); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestTestAuthenticatorsAreMarked(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.PermitTestAuthenticators = true })
	virtual := newMaker(t) // its certificates are nobody's, as Chromium's are
	virtual.aaguid = testAAGUID
	virtual.batchDER, _ = certificate(t, virtual.batchTemplate(), virtual.root, virtual.batchKey.Public(), virtual.rootKey)
	key := virtual.newKey(t)
	done, status, code := h.registerKey(h.person, key, func(f *forgery) { f.Chain = f.Chain[:1] })
	if status != http.StatusOK || done.Model != testModel {
		t.Fatal(status, code, done)
	}
	kept, err := h.directory.KeyByCredential(t.Context(), key.credentialID)
	if err != nil || kept.Hardware {
		t.Errorf("kept %+v, %v", kept, err)
	}
	// The setting opens nothing else.
	for name, change := range map[string]func(f *forgery){
		"none":    func(f *forgery) { f.Format, f.Chain = "none", nil },
		"self":    func(f *forgery) { f.Chain, f.Signer = nil, key.key },
		"synced":  func(f *forgery) { f.Flags |= flagBE },
		"unknown": func(f *forgery) { f.AAGUID = uuid.New() },
		"zero":    func(f *forgery) { f.AAGUID = uuid.Nil },
	} {
		if _, status, _ := h.registerKey(h.person, virtual.newKey(t), change); status != http.StatusForbidden {
			t.Errorf("%s: %d", name, status)
		}
	}
	// A sign-in with it is marked, and refused once the setting is off.
	b := h.browser()
	b.touch(h.handle(nil), key)
	session, err := h.findSession(t.Context(), b.cookies[cookieSession], h.now)
	if err != nil {
		t.Fatal(err)
	}
	if s := session.value.SignIn; !s.TestKey || s.AAL != 2 || !s.UserVerified || slices.Contains(s.AMR, "hwk") {
		t.Errorf("sign-in %+v", s)
	}
	h.config.PermitTestAuthenticators = false
	h.restart()
	b.h = h
	s := b.start(h.handle(nil))
	if !s.KeyNeeded {
		t.Error("a test key's session counts although the setting is off")
	}
	if status, code := b.post("/ceremony/sign-in/key", key.get(t, s.Options.Challenge, nil), nil); code != reason.KeyTestRefused {
		t.Errorf("%d %s", status, code)
	}
}

func TestWhatRegistrationAsksFor(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	var started registerStarted
	b.post("/ceremony/register/start", registerStartRequest{Secret: h.link(h.person)}, &started)
	if started.Options.User.ID != encode(h.person.Handle) || started.Person != h.person.Name {
		t.Errorf("options are for %+v", started)
	}
	o := started.Options
	if o.Attestation != "direct" || o.Selection.UserVerification != "required" || o.Selection.ResidentKey != "required" || o.Selection.Attachment != "cross-platform" {
		t.Errorf("options %+v", o)
	}
	if len(o.Challenge) != 43 {
		t.Errorf("a challenge of %d characters", len(o.Challenge))
	}
	if strings.Contains(started.Options.User.ID, h.person.Account) {
		t.Error("the user handle tells the account")
	}
}
