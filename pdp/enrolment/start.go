package enrolment

import (
	"context"
	"crypto/sha256"
	"errors"
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
	CodeKey       string               `json:"code"`   // empty for an expected device
	Agency        string               `json:"agency"` // for the record, should the code be gone
	DeviceName    string               `json:"device_name"`
	Software      bool                 `json:"software,omitempty"`
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

// Start checks the code, or that the device is expected, and what the machine
// says of its TPM, and puts the credential challenge. tlsSPKI is the digest of
// the key that the connection proved, peer the address it came from.
func (e *Enroller) Start(ctx context.Context, in wire.EnrolStart, tlsSPKI [sha256.Size]byte, peer string) (wire.EnrolChallenge, error) {
	if in.Code == "" {
		return e.startExpected(ctx, in, tlsSPKI, peer)
	}
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
	ask := e.challengeCode
	if len(in.SoftwareKey) > 0 {
		ask = e.challengeSoftware
	}
	challenge, err := ask(ctx, c, in, tlsSPKI, &s)
	if err != nil {
		return wire.EnrolChallenge{}, e.refused(ctx, s, err)
	}
	if err := e.record(ctx, s); err != nil {
		return wire.EnrolChallenge{}, err
	}
	return challenge, nil
}

func malformed(field string) error { return refuse(nil, reason.EnrolMalformed, "field", field) }

// checkMachine bounds what the agent says of itself: it is shown to people.
func checkMachine(in wire.EnrolStart) error {
	if len(in.Hostname) > 253 || !utf8.ValidString(in.Hostname) || !plain(in.Hostname) {
		return malformed("hostname")
	}
	if !slices.Contains([]string{"linux", "windows", "darwin"}, in.OS) {
		return malformed("os")
	}
	return nil
}

// checkStart bounds what the agent sends of its TPM. A key of each kind could be
// read in two ways.
func checkStart(in wire.EnrolStart) error {
	if err := checkMachine(in); err != nil {
		return err
	}
	if len(in.SoftwareKey) > 0 {
		return refuse(nil, reason.EnrolSoftwareMixed)
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

// startExpected is Start for a device without a code. Whoever asks is a stranger
// until the TPM has proven itself: an EK's public key is no secret. So nothing
// is written, and nothing recorded, before Finish.
func (e *Enroller) startExpected(ctx context.Context, in wire.EnrolStart, tlsSPKI [sha256.Size]byte, peer string) (wire.EnrolChallenge, error) {
	s := step{unproven: true, Peer: peer}
	ek, err := e.judge(in, &s)
	if err != nil {
		return wire.EnrolChallenge{}, e.refused(ctx, s, err)
	}
	x, err := e.comes(ctx, ek.Digest())
	if err != nil {
		return wire.EnrolChallenge{}, e.refused(ctx, s, err)
	}
	sealed := session{Agency: x.Agency, DeviceName: x.DeviceName, TLSSPKI: tlsSPKI[:], Peer: peer}
	return e.challenge(ek, in, sealed, s.Provenance)
}

// comes returns the row that lets a device in without a code: once, and only a
// TPM that was never enrolled. What came before, and may have been retired for a
// reason, needs a code.
func (e *Enroller) comes(ctx context.Context, ek [sha256.Size]byte) (expectation, error) {
	x, found, err := e.expected(ctx, ek)
	if err != nil {
		return x, err
	}
	if !found {
		return x, refuse(nil, reason.EnrolNotExpected)
	}
	switch _, err := e.Devices.DeviceByEK(ctx, ek); {
	case err == nil, x.Device != "":
		return x, refuse(nil, reason.EnrolArrivedAlready)
	case !isNotFound(err):
		return x, fmt.Errorf("enrolment: %w", err)
	}
	return x, nil
}

// judge does start's checks of the TPM in the order of what they cost, and fills
// in what is to be recorded as it becomes known.
func (e *Enroller) judge(in wire.EnrolStart, s *step) (EndorsementKey, error) {
	if err := checkStart(in); err != nil {
		return nil, err
	}
	s.Hostname, s.OS = in.Hostname, in.OS
	ek, provenance, err := e.endorsementKey(in)
	if errors.Is(err, ErrEndorsementEnded) {
		return nil, refuse(err, reason.EnrolEKEnded)
	}
	if err != nil {
		return nil, refuse(err, reason.EnrolEKRefused)
	}
	digest := ek.Digest()
	s.EK, s.Template, s.Provenance = digestText(digest[:]), ek.Template(), provenance
	if err := e.Endorser.CheckAK(in.AK); err != nil {
		return nil, refuse(err, reason.EnrolAKRefused)
	}
	return ek, nil
}

// challengeCode is what a holder of a code gets.
func (e *Enroller) challengeCode(ctx context.Context, c code, in wire.EnrolStart, tlsSPKI [sha256.Size]byte, s *step) (wire.EnrolChallenge, error) {
	var none wire.EnrolChallenge
	ek, err := e.judge(in, s)
	if err != nil {
		return none, err
	}
	old, err := e.replaces(ctx, c.warrant(), ek.Digest())
	if err != nil {
		return none, err
	}
	s.Replaces = old.ID
	if c, err = e.bind(ctx, c, ek.Digest()); err != nil {
		return none, err
	}
	sealed := session{CodeKey: c.key, Agency: c.Agency, DeviceName: c.DeviceName, TLSSPKI: tlsSPKI[:], Peer: s.Peer}
	return e.challenge(ek, in, sealed, s.Provenance)
}

// challenge completes the session and seals it, with the secret that only the
// TPM of ek and in.AK releases.
func (e *Enroller) challenge(ek EndorsementKey, in wire.EnrolStart, sealed session, provenance wire.Provenance) (wire.EnrolChallenge, error) {
	var none wire.EnrolChallenge
	digest := ek.Digest()
	qualifiedName, err := ek.QualifiedName(in.AK)
	if err != nil {
		return none, refuse(err, reason.EnrolAKRefused)
	}
	sealed.EK, sealed.Template, sealed.Endorsed = digest[:], ek.Template(), provenance == wire.ProvenanceTPM
	sealed.AK, sealed.QualifiedName, sealed.Hostname, sealed.OS = in.AK, qualifiedName, in.Hostname, in.OS
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

// replaces decides whose identity the new device may take: nobody's, that of
// the device that this very TPM enrolled under this very name before, or that of
// the device that the code is to replace.
func (e *Enroller) replaces(ctx context.Context, w warrant, ek [sha256.Size]byte) (wire.Device, error) {
	var none wire.Device
	mine, err := living(e.Devices.DeviceByEK(ctx, ek))
	if err != nil {
		return none, err
	}
	named, err := living(e.Devices.DeviceByName(ctx, w.agency, w.name))
	if err != nil {
		return none, err
	}
	switch {
	case named.ID == mine.ID:
		return mine, nil
	case mine.ID != "" && mine.Agency == w.agency:
		return none, refuse(nil, reason.EnrolEKOtherName, "device", mine.Name)
	case mine.ID != "":
		return none, refuse(nil, reason.EnrolEKTaken)
	case w.replaces == named.ID:
		return named, nil
	case w.replaces != "":
		return none, refuse(nil, reason.EnrolReplacedGone, "device", w.name)
	}
	// A different EK for an existing name would take the device over (keylime
	// #1820).
	return none, refuse(nil, reason.EnrolNameTaken)
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
