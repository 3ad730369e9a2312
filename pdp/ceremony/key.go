package ceremony

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// spentChallenge starts the ids of burned challenges among the spent ones.
const spentChallenge = "sign-in-"

// keyRequest is the assertion, member by member: what a browser's own
// serialization would add is not wanted. Bytes are base64url without padding.
type keyRequest struct {
	Credential struct {
		ID                string `json:"id"`
		ClientDataJSON    string `json:"client_data_json"`
		AuthenticatorData string `json:"authenticator_data"`
		Signature         string `json:"signature"`
		UserHandle        string `json:"user_handle"`
	} `json:"credential"`
	// ZoneMinutes is the browser's offset from UTC, east positive.
	ZoneMinutes *int `json:"zone_minutes,omitempty"`
}

type keyAnswer struct {
	Person string `json:"person"`
}

func (c *Ceremony) proveKey(w http.ResponseWriter, r *http.Request, request keyRequest) {
	person, session, err := c.finishKey(r, request)
	if err != nil {
		c.answerRefusal(w, r, "key", err)
		return
	}
	setCookie(w, cookieSession, session, sessionLife)
	problem.WriteJSON(w, r, keyAnswer{Person: person.Name})
}

func (c *Ceremony) finishKey(r *http.Request, request keyRequest) (wire.Person, string, error) {
	ctx, now := r.Context(), c.clock()
	state, err := c.current(r, now)
	if err != nil {
		return wire.Person{}, "", err
	}
	proof, err := c.verifyAssertion(ctx, state, request)
	if err != nil {
		c.recordFailedKey(ctx, proof, err)
		c.tellFailed(r, proof.person, "", err)
		return wire.Person{}, "", err
	}
	// Only a proven answer burns the challenge, so that strangers cannot fill
	// the store; of two equal answers one burns it.
	err = putNew(ctx, c.store, store.Key(kindSpent, nobody, spentChallenge+state.ID), state.Expires, struct{}{})
	if errors.Is(err, store.ErrConflict) {
		err = refuse(reason.KeySignInSpent, err)
		c.recordFailedKey(ctx, proof, err)
	}
	if err != nil {
		return wire.Person{}, "", err
	}
	if err := c.admit(ctx, proof, now); err != nil {
		c.recordFailedKey(ctx, proof, err)
		c.tellFailed(r, proof.person, "", err)
		return wire.Person{}, "", err
	}
	signIn := wire.SignIn{
		PersonID: proof.person.ID, KeyID: proof.key.ID, At: now.UTC(), AAL: 3, UserVerified: true, AMR: []string{"hwk", "pin", "mfa"},
		ZoneMinutes: zone(request.ZoneMinutes),
	}
	if !proof.key.Hardware {
		signIn.AAL, signIn.TestKey, signIn.AMR = 2, true, []string{"swk", "pin", "mfa"}
	}
	if err := c.recordKeyProven(ctx, proof, signIn); err != nil {
		return wire.Person{}, "", err
	}
	if err := c.endSession(ctx, sessionCookie(r)); err != nil {
		return wire.Person{}, "", err
	}
	session, err := c.newSession(ctx, signIn, now)
	return proof.person, session, err
}

// mostZone is beyond every zone on Earth (UTC−12 to UTC+14).
const mostZone = 14 * 60

// zone takes a browser's word for its time zone; one that cannot be is none.
func zone(minutes *int) *int {
	if minutes == nil || *minutes < -mostZone || *minutes > mostZone {
		return nil
	}
	return minutes
}

// proof is whose key answered. Proven says that its signature verified.
type proof struct {
	person    wire.Person
	key       wire.SecurityKey
	signCount uint32
	cloned    bool
	proven    bool
}

// verifyAssertion checks an assertion (WebAuthn 3, 7.2) against the key that
// its credential id names and the person that its user handle names.
func (c *Ceremony) verifyAssertion(ctx context.Context, state signIn, request keyRequest) (proof, error) {
	parsed, err := parseAssertion(request)
	if err != nil {
		return proof{}, refuseWith(http.StatusBadRequest, reason.KeyNotProven, err)
	}
	var p proof
	if p.key, err = c.directory.KeyByCredential(ctx, parsed.RawID); err != nil {
		return proof{}, unknownKey(err)
	}
	if p.person, err = c.directory.PersonByHandle(ctx, parsed.Response.UserHandle); err != nil {
		return proof{}, unknownKey(err)
	}
	if p.key.PersonID != p.person.ID {
		return proof{}, refuse(reason.KeyUnknown, errors.New("the user handle is not the key's owner"))
	}
	flags := parsed.Response.AuthenticatorData.Flags
	if !flags.HasUserVerified() {
		return p, refuse(reason.KeyUserNotVerified, nil) // requirements 16
	}
	if flags.HasBackupEligible() || flags.HasBackupState() {
		return p, refuse(reason.KeySynced, nil) // requirements 16
	}
	rp := c.proven
	if !p.key.Hardware {
		if rp = c.test; rp == nil {
			return p, refuse(reason.KeyTestRefused, nil)
		}
	} else if !c.models.loaded {
		return p, refuse(reason.KeyMetadataMissing, nil)
	}
	owner := keyOwner{person: p.person, key: p.key}
	session := webauthn.SessionData{
		Challenge: encode(state.Challenge), RelyingPartyID: rp.Config.RPID, UserVerification: protocol.VerificationRequired,
	}
	_, credential, err := rp.ValidatePasskeyLogin(func(_, _ []byte) (webauthn.User, error) { return owner, nil }, session, parsed)
	if err != nil {
		return p, refuse(notProven(err), describe(err))
	}
	p.proven, p.cloned, p.signCount = true, credential.Authenticator.CloneWarning, parsed.Response.AuthenticatorData.Counter
	return p, nil
}

func unknownKey(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return refuse(reason.KeyUnknown, err)
	}
	return err
}

// notProven tells a model that has lost its standing in the metadata from an
// answer that does not verify.
func notProven(err error) string {
	var failed *protocol.Error
	for ; errors.As(err, &failed); err = failed.Err {
		if failed.Type == protocol.ErrMetadata.Type {
			return reason.KeyModelCompromised
		}
	}
	return reason.KeyNotProven
}

// describe adds the library's details, which its Error leaves out.
func describe(err error) error {
	var failed *protocol.Error
	if errors.As(err, &failed) && failed.DevInfo != "" {
		return fmt.Errorf("%w (%s)", err, failed.DevInfo)
	}
	return err
}

// admit decides on an answer that is proven to be this key's.
func (c *Ceremony) admit(ctx context.Context, p proof, now time.Time) error {
	switch {
	case p.person.Disabled:
		return refuse(reason.KeyPersonDisabled, nil)
	case p.key.Revoked:
		return refuse(reason.KeyIsRevoked, nil)
	case p.cloned: // WebAuthn 3, 7.2 step 22: the library only warns
		return refuse(reason.KeyCloned, nil)
	}
	err := c.directory.TouchKey(ctx, p.key.ID, p.signCount, now)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrIndeterminate), ctx.Err() != nil:
		return err
	case errors.Is(err, store.ErrConflict):
		return refuse(reason.KeyIsRevoked, err)
	default: // the counter did not grow between look-up and now
		return refuse(reason.KeyCloned, err)
	}
}

func parseAssertion(request keyRequest) (*protocol.ParsedCredentialAssertionData, error) {
	from := request.Credential
	var raw protocol.CredentialAssertionResponse
	raw.ID, raw.Type = from.ID, string(protocol.PublicKeyCredentialType)
	for _, part := range []struct {
		text string
		to   *protocol.URLEncodedBase64
	}{
		{from.ID, &raw.RawID}, {from.ClientDataJSON, &raw.AssertionResponse.ClientDataJSON},
		{from.AuthenticatorData, &raw.AssertionResponse.AuthenticatorData},
		{from.Signature, &raw.AssertionResponse.Signature}, {from.UserHandle, &raw.AssertionResponse.UserHandle},
	} {
		decoded, err := decodeBase64URL(part.text)
		if err != nil {
			return nil, err
		}
		*part.to = decoded
	}
	return raw.Parse()
}

func (c *Ceremony) requestOptions(challenge []byte) (*protocol.PublicKeyCredentialRequestOptions, error) {
	assertion, _, err := c.proven.BeginDiscoverableLogin(webauthn.WithChallenge(challenge),
		webauthn.WithAssertionPublicKeyCredentialHints([]protocol.PublicKeyCredentialHints{protocol.PublicKeyCredentialHintSecurityKey}))
	if err != nil {
		return nil, fmt.Errorf("ceremony: %w", err)
	}
	return &assertion.Response, nil
}

// keyOwner is one person with one key, as the library wants to see them.
type keyOwner struct {
	person wire.Person
	key    wire.SecurityKey
}

func (o keyOwner) WebAuthnID() []byte          { return o.person.Handle }
func (o keyOwner) WebAuthnName() string        { return o.person.Account }
func (o keyOwner) WebAuthnDisplayName() string { return o.person.Name }

func (o keyOwner) WebAuthnCredentials() []webauthn.Credential {
	if len(o.key.CredentialID) == 0 {
		return nil
	}
	return []webauthn.Credential{{
		ID: o.key.CredentialID, PublicKey: o.key.PublicKey,
		AttestationType: attestationBasic, AttestationFormat: attestationPacked, // the only ones registered
		Authenticator: webauthn.Authenticator{AAGUID: o.key.AAGUID, SignCount: o.key.SignCount},
	}}
}

func isTestAuthenticator(aaguid []byte) bool { return bytes.Equal(aaguid, testAAGUID[:]) }
