package enrolment

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// A machine without a TPM enrols a software key (requirements 5). Nothing of
// the machine is proven, only that the agent holds its keys: such a device
// always waits for an administrator and is marked as software for ever. A code
// is not tied to a software key before it is consumed: the key is a new one
// each time that the agent tries.

// challengeSoftware asks for a proof of possession over a fresh nonce.
func (e *Enroller) challengeSoftware(ctx context.Context, c code, in wire.EnrolStart, tlsSPKI [sha256.Size]byte, s *step) (wire.EnrolChallenge, error) {
	var none wire.EnrolChallenge
	if err := checkSoftware(in); err != nil {
		return none, err
	}
	digest := sha256.Sum256(in.SoftwareKey)
	s.Hostname, s.OS, s.Provenance, s.EK = in.Hostname, in.OS, wire.ProvenanceSoftware, digestText(digest[:])
	if err := e.Endorser.CheckSoftwareKey(in.SoftwareKey); err != nil {
		return none, refuse(err, reason.EnrolSoftwareKey)
	}
	old, err := e.replacesSoftware(ctx, c)
	if err != nil {
		return none, err
	}
	s.Replaces = old.ID
	sealed := session{
		CodeKey: c.key, Agency: c.Agency, DeviceName: c.DeviceName, Software: true,
		AK: in.SoftwareKey, TLSSPKI: tlsSPKI[:], Hostname: in.Hostname, OS: in.OS, Peer: s.Peer,
	}
	if _, err := io.ReadFull(e.Random, sealed.Nonce[:]); err != nil {
		return none, fmt.Errorf("enrolment: drawing a nonce: %w", err)
	}
	ticket, err := e.Sealer.Seal(sealPurpose, e.Clock().Add(SessionLife), sealed)
	if err != nil {
		return none, fmt.Errorf("enrolment: sealing: %w", err)
	}
	return wire.EnrolChallenge{
		Enrolment: ticket, EK: wire.SoftwareTemplate, CredentialBlob: []byte{}, EncryptedSecret: []byte{}, CertifyNonce: sealed.Nonce[:],
	}, nil
}

// checkSoftware refuses keys of both kinds: they could be read in two ways.
func checkSoftware(in wire.EnrolStart) error {
	if err := checkMachine(in); err != nil {
		return err
	}
	if len(in.SoftwareKey) > 1024 {
		return malformed("software_key")
	}
	if len(in.AK)+len(in.EKCertificate)+len(in.EKKey)+len(in.EKIntermediates) > 0 {
		return refuse(nil, reason.EnrolSoftwareMixed)
	}
	return nil
}

// replacesSoftware refuses a code that a TPM began with, and the name of a
// living device: nothing tells that the machine is the same. Only a code that
// says so replaces one, and only one whose keys are in software as well.
func (e *Enroller) replacesSoftware(ctx context.Context, c code) (wire.Device, error) {
	if c.EK != nil {
		return wire.Device{}, refuse(nil, reason.EnrolCodeBound)
	}
	named, err := living(e.Devices.DeviceByName(ctx, c.Agency, c.DeviceName))
	switch {
	case err != nil:
		return wire.Device{}, err
	case named.ID == "" && c.Replaces == "":
		return named, nil
	case c.Replaces == "" || named.Provenance != wire.ProvenanceSoftware && named.ID != "":
		return wire.Device{}, refuse(nil, reason.EnrolNameTaken)
	case c.Replaces != named.ID:
		return wire.Device{}, refuse(nil, reason.EnrolReplacedGone, "device", c.DeviceName)
	}
	return named, nil
}

// finishSoftware checks that the agent holds the key that certifies all three,
// and that the connection's key is one of them.
func (e *Enroller) finishSoftware(ctx context.Context, sealed session, in wire.EnrolFinish, tlsSPKI [sha256.Size]byte, s *step) (wire.Device, *warrant, error) {
	var none wire.Device
	own, err := e.Endorser.SoftwareCertified(wire.CertifiedKey{Public: sealed.AK, Signature: in.Secret}, sealed.AK, "attestation", sealed.Nonce, tlsSPKI)
	if err != nil {
		return none, nil, refuse(err, reason.EnrolSoftwareProof)
	}
	certified, err := e.Endorser.SoftwareCertified(in.TLSKey, sealed.AK, "tls", sealed.Nonce, tlsSPKI)
	if err == nil && (certified != tlsSPKI || certified == own) {
		err = errors.New("the certified key is not the connection's, or is the attestation key")
	}
	if err != nil {
		return none, nil, refuse(err, reason.EnrolTLSKey)
	}
	certified, err = e.Endorser.SoftwareCertified(in.SigningKey, sealed.AK, "signing", sealed.Nonce, tlsSPKI)
	if err == nil && (certified == tlsSPKI || certified == own) {
		err = errors.New("the signing key is another of the device's keys")
	}
	if err != nil {
		return none, nil, refuse(err, reason.EnrolSigningKey)
	}
	c, err := e.readCode(ctx, sealed.CodeKey)
	if c.key == "" && err != nil {
		if dev, done := e.committed(ctx, sealed, tlsSPKI); done {
			return dev, nil, nil
		}
	}
	if err != nil {
		return none, nil, err
	}
	old, err := e.replacesSoftware(ctx, c)
	if err != nil {
		return none, nil, err
	}
	s.Replaces = old.ID
	w := c.warrant()
	dev, err := e.device(sealed, w, old, in)
	return dev, &w, err
}
