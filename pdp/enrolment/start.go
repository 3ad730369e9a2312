package enrolment

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

const sealPurpose = "enrolment"

// session lies sealed with the agent between start and finish.
type session struct {
	CodeKey       string               `json:"code"`
	Agency        string               `json:"agency"` // for the record, should the code be gone
	DeviceName    string               `json:"device_name"`
	EK            []byte               `json:"ek"`
	Template      string               `json:"template"`
	Endorsed      bool                 `json:"endorsed"`
	AK            []byte               `json:"ak"`
	QualifiedName []byte               `json:"qualified_name"`
	TLSSPKI       []byte               `json:"tls_spki"`
	SecretHash    []byte               `json:"secret_hash"`
	Nonce         [wire.NonceSize]byte `json:"nonce"`
	Hostname      string               `json:"hostname"`
	OS            string               `json:"os"`
	Peer          string               `json:"peer"`
}

// Start checks the code and what the machine says of its TPM, and puts the
// credential challenge. tlsSPKI is the digest of the key that the connection
// proved, peer the address it came from.
func (e *Enroller) Start(ctx context.Context, in wire.EnrolStart, tlsSPKI [sha256.Size]byte, peer string) (wire.EnrolChallenge, error) {
	key, err := e.parseCode(in.Code)
	if err != nil {
		e.strangers.Add(1)
		return wire.EnrolChallenge{}, err
	}
	c, err := e.readCode(ctx, key)
	if _, refused := asRefusal(err); refused && c.key == "" {
		e.strangers.Add(1)
	}
	if c.key == "" { // unknown, or unreadable: nothing to record it under
		return wire.EnrolChallenge{}, err
	}
	if !e.attempts.Permit(c.key, e.Clock()) {
		return wire.EnrolChallenge{}, refuse(nil, reason.TooMany)
	}
	s := c.step("start")
	s.Peer, s.TLSSPKI = peer, digestText(tlsSPKI[:])
	if err != nil {
		return wire.EnrolChallenge{}, e.refused(ctx, s, err)
	}
	if err := checkStart(in); err != nil {
		return wire.EnrolChallenge{}, e.refused(ctx, s, err)
	}
	s.Hostname, s.OS = in.Hostname, in.OS
	challenge, err := e.challenge(ctx, c, in, tlsSPKI, &s)
	if err != nil {
		return wire.EnrolChallenge{}, e.refused(ctx, s, err)
	}
	if err := e.record(ctx, s); err != nil {
		return wire.EnrolChallenge{}, err
	}
	return challenge, nil
}

// checkStart bounds what the agent says of itself: it is shown to people.
func checkStart(in wire.EnrolStart) error {
	malformed := func(field string) error { return refuse(nil, reason.EnrolMalformed, "field", field) }
	if len(in.Hostname) > 253 || !utf8.ValidString(in.Hostname) || !plain(in.Hostname) {
		return malformed("hostname")
	}
	if !slices.Contains([]string{"linux", "windows", "darwin"}, in.OS) {
		return malformed("os")
	}
	if len(in.AK) == 0 || len(in.AK) > 1024 {
		return malformed("ak")
	}
	if len(in.EKCertificate) > wire.MaxEKCertificateBytes || len(in.EKKey) > 1024 {
		return malformed("ek_certificate")
	}
	size := 0
	for _, c := range in.EKIntermediates {
		size += len(c)
	}
	if len(in.EKIntermediates) > wire.MaxEKIntermediates || size > wire.MaxEKIntermediatesBytes {
		return malformed("ek_intermediates")
	}
	if (len(in.EKCertificate) == 0) == (len(in.EKKey) == 0) {
		return malformed("ek_key")
	}
	return nil
}

func plain(s string) bool {
	for _, r := range s {
		if !unicode.IsGraphic(r) {
			return false
		}
	}
	return true
}

// challenge does start's checks in the order of what they cost, and fills in
// what is to be recorded as it becomes known.
func (e *Enroller) challenge(ctx context.Context, c code, in wire.EnrolStart, tlsSPKI [sha256.Size]byte, s *step) (wire.EnrolChallenge, error) {
	var none wire.EnrolChallenge
	ek, provenance, err := e.endorsementKey(in)
	if err != nil {
		return none, refuse(err, reason.EnrolEKRefused)
	}
	digest := ek.Digest()
	s.EK, s.Template, s.Provenance = digestText(digest[:]), ek.Template(), provenance
	if err := e.Endorser.CheckAK(in.AK); err != nil {
		return none, refuse(err, reason.EnrolAKRefused)
	}
	qualifiedName, err := ek.QualifiedName(in.AK)
	if err != nil {
		return none, refuse(err, reason.EnrolAKRefused)
	}
	if s.Replaces, err = e.replaces(ctx, c, digest); err != nil {
		return none, err
	}
	if c, err = e.bind(ctx, c, digest); err != nil {
		return none, err
	}

	sealed := session{
		CodeKey: c.key, Agency: c.Agency, DeviceName: c.DeviceName,
		EK: digest[:], Template: ek.Template(), Endorsed: provenance == wire.ProvenanceTPM,
		AK: in.AK, QualifiedName: qualifiedName, TLSSPKI: tlsSPKI[:],
		Hostname: in.Hostname, OS: in.OS, Peer: s.Peer,
	}
	var secret [32]byte
	if _, err := io.ReadFull(e.Random, secret[:]); err != nil {
		return none, fmt.Errorf("enrolment: drawing a secret: %w", err)
	}
	if _, err := io.ReadFull(e.Random, sealed.Nonce[:]); err != nil {
		return none, fmt.Errorf("enrolment: drawing a nonce: %w", err)
	}
	hash := sha256.Sum256(secret[:])
	sealed.SecretHash = hash[:]
	blob, encrypted, err := ek.Challenge(in.AK, secret[:])
	if err != nil {
		return none, refuse(err, reason.EnrolEKRefused)
	}
	ticket, err := e.Sealer.Seal(sealPurpose, e.Clock().Add(SessionLife), sealed)
	if err != nil {
		return none, fmt.Errorf("enrolment: sealing: %w", err)
	}
	return wire.EnrolChallenge{
		Enrolment: ticket, EK: ek.Template(), CredentialBlob: blob, EncryptedSecret: encrypted, CertifyNonce: sealed.Nonce[:],
	}, nil
}

func (e *Enroller) endorsementKey(in wire.EnrolStart) (EndorsementKey, wire.Provenance, error) {
	if len(in.EKCertificate) == 0 {
		ek, err := e.Endorser.Unendorsed(in.EKKey)
		return ek, wire.ProvenanceTPMUnendorsed, err
	}
	ek, err := e.Endorser.Endorse(in.EKCertificate, in.EKIntermediates, e.Clock())
	return ek, wire.ProvenanceTPM, err
}

// replaces decides whose identity the new device may take: nobody's, or that
// of the device that this very TPM enrolled under this very name before.
func (e *Enroller) replaces(ctx context.Context, c code, ek [sha256.Size]byte) (string, error) {
	mine, err := living(e.Devices.DeviceByEK(ctx, ek))
	if err != nil {
		return "", err
	}
	named, err := living(e.Devices.DeviceByName(ctx, c.Agency, c.DeviceName))
	if err != nil {
		return "", err
	}
	switch {
	case named.ID != mine.ID && named.ID != "":
		// A different EK for an existing name would take the device over
		// (keylime #1820).
		return "", refuse(nil, reason.EnrolNameTaken)
	case named.ID != mine.ID:
		return "", refuse(nil, reason.EnrolEKTaken)
	}
	return mine.ID, nil
}

// living turns a device that is retired or unknown into the zero Device.
func living(dev wire.Device, err error) (wire.Device, error) {
	if isNotFound(err) || err == nil && dev.Status == wire.DeviceRetired {
		return wire.Device{}, nil
	}
	if err != nil {
		return wire.Device{}, fmt.Errorf("enrolment: %w", err)
	}
	return dev, nil
}
