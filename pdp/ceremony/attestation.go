package ceremony

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/go-webauthn/webauthn/metadata"
	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// The one attestation that is accepted: packed, with a certificate chain.
const (
	attestationPacked = "packed"
	attestationBasic  = string(metadata.BasicFull)
)

// testModel is the name that a test authenticator's key is listed under.
const testModel = "Test authenticator (Chromium)"

// credentialRequest is the new credential, member by member.
type credentialRequest struct {
	ID                string   `json:"id"`
	ClientDataJSON    string   `json:"client_data_json"`
	AttestationObject string   `json:"attestation_object"`
	Transports        []string `json:"transports"`
}

func parseCreation(from credentialRequest) (*protocol.ParsedCredentialCreationData, error) {
	var raw protocol.CredentialCreationResponse
	raw.ID, raw.Type = from.ID, string(protocol.PublicKeyCredentialType)
	raw.AttestationResponse.Transports = from.Transports
	for _, part := range []struct {
		text string
		to   *protocol.URLEncodedBase64
	}{
		{from.ID, &raw.RawID}, {from.ClientDataJSON, &raw.AttestationResponse.ClientDataJSON},
		{from.AttestationObject, &raw.AttestationResponse.AttestationObject},
	} {
		decoded, err := decodeBase64URL(part.text)
		if err != nil {
			return nil, err
		}
		*part.to = decoded
	}
	return raw.Parse()
}

// verifyCreation checks a new credential (WebAuthn 3, 7.1) and its attestation.
// The library lets a statement "none", a zero AAGUID and self attestation pass
// although direct attestation was asked for, so these are refused here.
func (c *Ceremony) verifyCreation(ctx context.Context, challenge []byte, person wire.Person, request credentialRequest, now time.Time) (wire.SecurityKey, error) {
	parsed, err := parseCreation(request)
	if err != nil {
		return wire.SecurityKey{}, refuseWith(http.StatusBadRequest, reason.KeyNotProven, err)
	}
	object := parsed.Response.AttestationObject
	data := object.AuthData
	switch {
	case !data.Flags.HasUserVerified(): // requirements 16
		return wire.SecurityKey{}, refuse(reason.KeyUserNotVerified, nil)
	case data.Flags.HasBackupEligible() || data.Flags.HasBackupState(): // requirements 16
		return wire.SecurityKey{}, refuse(reason.KeySynced, nil)
	case object.Format != attestationPacked:
		return wire.SecurityKey{}, refuse(reason.KeyNotAttested, errors.New("attestation statement format "+object.Format))
	}
	if _, chain := object.AttStatement["x5c"]; !chain {
		return wire.SecurityKey{}, refuse(reason.KeySelfAttested, nil)
	}
	key := wire.SecurityKey{PersonID: person.ID, AAGUID: data.AttData.AAGUID, Transports: request.Transports}
	rp, refusal := c.judgeModel(ctx, &key, now)
	if refusal != nil {
		return wire.SecurityKey{}, refusal
	}
	session := webauthn.SessionData{
		Challenge: encode(challenge), RelyingPartyID: rp.Config.RPID, UserID: person.Handle,
		UserVerification: protocol.VerificationRequired, CredParams: webauthn.CredentialParametersRecommendedL3(),
	}
	credential, err := rp.CreateCredential(keyOwner{person: person}, session, parsed)
	if err != nil {
		return wire.SecurityKey{}, refuse(reason.KeyAttestationUntrusted, describe(err))
	}
	key.CredentialID, key.PublicKey, key.SignCount = credential.ID, credential.PublicKey, credential.Authenticator.SignCount
	return key, nil
}

// judgeModel decides by the AAGUID what must be proven: hardware by trusted
// metadata, or nothing where it is the permitted test authenticator's.
func (c *Ceremony) judgeModel(ctx context.Context, key *wire.SecurityKey, now time.Time) (*webauthn.WebAuthn, *Refusal) {
	aaguid, err := uuid.FromBytes(key.AAGUID)
	if err != nil {
		return nil, refuse(reason.KeyModelUnknown, err)
	}
	if isTestAuthenticator(key.AAGUID) {
		if c.test == nil {
			return nil, refuse(reason.KeyTestRefused, nil)
		}
		key.Model = testModel
		return c.test, nil
	}
	model, refusal := c.models.hardware(ctx, aaguid, now)
	if refusal != nil {
		return nil, refusal
	}
	key.Model, key.Hardware = model, true
	return c.proven, nil
}
