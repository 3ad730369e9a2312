package enrolment

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

func isNotFound(err error) bool { return errors.Is(err, store.ErrNotFound) }

// Finish checks what the TPM answered, makes the device and consumes the code.
// Repeated with the same proofs after the answer was lost, it gives the same
// answer and changes nothing.
func (e *Enroller) Finish(ctx context.Context, in wire.EnrolFinish, tlsSPKI [sha256.Size]byte) (wire.Enrolled, error) {
	sealed, err := e.open(in.Enrolment)
	if err != nil {
		e.strangers.Add(1)
		return wire.Enrolled{}, err
	}
	if !e.attempts.Permit(sealed.attempts(), e.Clock()) {
		return wire.Enrolled{}, refuse(nil, reason.TooMany)
	}
	s := sealed.step()
	dev, w, err := e.finish(ctx, sealed, in, tlsSPKI, &s)
	if err != nil {
		return wire.Enrolled{}, e.refused(ctx, s, err)
	}
	if w == nil { // done before
		return e.enrolled(dev), nil
	}
	s.device = dev.ID
	if err := e.record(ctx, s); err != nil {
		return wire.Enrolled{}, err
	}
	conditions, ops, err := e.use(*w, dev)
	if err == nil {
		err = e.Devices.AddDevice(ctx, dev, s.Replaces, conditions, ops)
	}
	if err != nil {
		s.Step = "commit"
		if errors.Is(err, store.ErrConflict) {
			err = refuse(err, reason.Conflict)
		}
		return wire.Enrolled{}, e.refused(ctx, s, err)
	}
	e.Logger.Info("device enrolled", "device", dev.ID, "name", dev.Name, "agency", dev.Agency,
		"provenance", string(dev.Provenance), "status", string(dev.Status), "replaces", s.Replaces, "expected", s.Expected)
	return e.enrolled(dev), nil
}

// attempts names what bounds this session's attempts. A stranger can begin a
// session for any EK, and must not use up the attempts of the machine itself.
func (s *session) attempts() string {
	if s.CodeKey != "" {
		return s.CodeKey
	}
	return digestText(s.EK) + " " + s.Peer
}

func (e *Enroller) open(ticket string) (session, error) {
	var sealed session
	err := e.Sealer.Open(sealPurpose, ticket, e.Clock(), &sealed)
	if err == nil {
		return sealed, nil
	}
	var ended interface{ Expired() bool }
	if errors.As(err, &ended) && ended.Expired() {
		return sealed, refuse(err, reason.EnrolTicketExpired)
	}
	return sealed, refuse(err, reason.EnrolTicket)
}

func (s *session) step() step {
	out := step{Step: "finish", DeviceName: s.DeviceName, agency: s.Agency, unproven: true}
	if s.CodeKey != "" {
		c := code{key: s.CodeKey, Agency: s.Agency, DeviceName: s.DeviceName}
		out = c.step("finish")
	}
	out.Hostname, out.OS, out.Peer = s.Hostname, s.OS, s.Peer
	out.EK, out.Template, out.TLSSPKI = digestText(s.EK), s.Template, digestText(s.TLSSPKI)
	out.Provenance = s.provenance()
	return out
}

func (s *session) provenance() wire.Provenance {
	switch {
	case s.Software:
		return wire.ProvenanceSoftware
	case s.Endorsed:
		return wire.ProvenanceTPM
	}
	return wire.ProvenanceTPMUnendorsed
}

// finish checks everything. A nil warrant says that this enrolment was committed
// before and dev is its device.
func (e *Enroller) finish(ctx context.Context, sealed session, in wire.EnrolFinish, tlsSPKI [sha256.Size]byte, s *step) (wire.Device, *warrant, error) {
	var none wire.Device
	if subtle.ConstantTimeCompare(sealed.TLSSPKI, tlsSPKI[:]) != 1 {
		return none, nil, refuse(nil, reason.EnrolChannel)
	}
	if sealed.Software {
		return e.finishSoftware(ctx, sealed, in, tlsSPKI, s)
	}
	// The TPM released the secret, so AK and EK live in one TPM.
	secret := sha256.Sum256(in.Secret)
	if subtle.ConstantTimeCompare(secret[:], sealed.SecretHash) != 1 {
		return none, nil, refuse(nil, reason.EnrolActivation)
	}
	s.unproven = false
	certified, err := e.Endorser.Certified(in.TLSKey, sealed.AK, sealed.QualifiedName, "tls", sealed.Nonce, tlsSPKI)
	if err == nil && certified != tlsSPKI {
		err = errors.New("the certified key is not the connection's")
	}
	if err != nil {
		return none, nil, refuse(err, reason.EnrolTLSKey)
	}
	certified, err = e.Endorser.Certified(in.SigningKey, sealed.AK, sealed.QualifiedName, "signing", sealed.Nonce, tlsSPKI)
	if err == nil && certified == tlsSPKI {
		err = errors.New("the signing key is the connection's key")
	}
	if err != nil {
		return none, nil, refuse(err, reason.EnrolSigningKey)
	}

	w, gone, err := e.warrant(ctx, sealed)
	if gone && err != nil {
		if dev, done := e.committed(ctx, sealed, tlsSPKI); done {
			return dev, nil, nil
		}
	}
	if err != nil {
		return none, nil, err
	}
	old, err := e.replaces(ctx, w, [sha256.Size]byte(sealed.EK))
	if err != nil {
		return none, nil, err
	}
	s.Replaces = old.ID
	if w.row != nil {
		s.Expected = w.row.List
	}
	dev, err := e.device(sealed, w, old, in)
	return dev, &w, err
}

// committed finds the device that this very enrolment made before.
func (e *Enroller) committed(ctx context.Context, sealed session, tlsSPKI [sha256.Size]byte) (wire.Device, bool) {
	dev, err := e.Devices.DeviceBySPKI(ctx, tlsSPKI)
	if err != nil || dev.Status == wire.DeviceRetired {
		return wire.Device{}, false
	}
	same := subtle.ConstantTimeCompare(dev.AK, sealed.AK) == 1 && subtle.ConstantTimeCompare(dev.EKDigest, sealed.EK) == 1
	return dev, same
}

// device is the new record. What an administrator decided of its predecessor
// stays decided: its owner and group, and its quarantine.
func (e *Enroller) device(sealed session, w warrant, old wire.Device, in wire.EnrolFinish) (wire.Device, error) {
	id, err := wire.NewID(wire.PrefixDevice, e.Random)
	if err != nil {
		return wire.Device{}, fmt.Errorf("enrolment: %w", err)
	}
	dev := wire.Device{
		ID: id, Agency: w.agency, Name: w.name, Status: wire.DevicePending, Provenance: sealed.provenance(),
		EKDigest: sealed.EK, AK: sealed.AK, AKQualifiedName: sealed.QualifiedName, SigningKey: in.SigningKey.Public,
		TLSSPKI: sealed.TLSSPKI, EnrolledAt: e.Clock().UTC(),
		Owner: old.Owner, Group: old.Group, StatusReason: old.StatusReason,
	}
	if w.row != nil && old.ID == "" {
		dev.Owner, dev.Group = w.row.Owner, w.row.Group
	}
	if sealed.Endorsed || w.row != nil { // else nobody vouches for this TPM yet
		dev.Status = wire.DeviceActive
	}
	if old.Status == wire.DeviceQuarantined { // also where it would wait: approving is no release
		dev.Status = wire.DeviceQuarantined
	}
	return dev, nil
}

func (e *Enroller) enrolled(dev wire.Device) wire.Enrolled {
	return wire.Enrolled{DeviceID: dev.ID, DeviceName: dev.Name, Agency: dev.Agency, Provenance: dev.Provenance, WebOrigin: e.WebOrigin}
}
