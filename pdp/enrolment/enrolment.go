// Package enrolment makes a machine with a TPM into a device that the PDP
// knows: an administrator's one-time code, the endorsement key's certificate,
// a credential challenge that only this TPM can answer, and keys that its
// attestation key certifies (TCG EK Credential Profile 2.5; TPM 2.0 part 1, 24).
//
// Guarantees:
//   - A machine without a TPM enrols a software key, which proves nothing of the
//     machine: it waits for an administrator, takes no TPM's place, and stays
//     marked.
//   - A device comes with a code, or is expected: its EK is on an agency's list.
//     Without a code a row lets one device in, once.
//   - A code is 256 random bits, stored as a digest, works once, ends by its
//     time, and works only for the first endorsement key that used it.
//   - What lies between start and finish is sealed and given to the agent, so
//     that strangers write nothing; only the code is bound to its TPM.
//   - The device, its indexes, the retirement of its predecessor and the
//     code's consumption are one transaction: it happens whole or not at all.
//   - A living device's name or TPM is never taken over by another: the same
//     TPM may enrol again under its own name with a new code, which retires
//     the old record; another TPM only with a code that was issued to replace
//     that very device; everything else is refused (keylime #1820). A device in
//     quarantine comes back into quarantine.
//   - Every step of a holder of a code is recorded before it is answered, and
//     of an expected device from its TPM's proof on; what cannot be recorded is
//     not done.
package enrolment

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/menshen-zt/menshen/internal/pace"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// SessionLife is how long the TPM may take between start and finish.
const SessionLife = 5 * time.Minute

// Each attempt with a true code is recorded, so their number is bounded too:
// whoever holds a code must not fill the audit log.
const (
	attemptBurst    = 20
	attemptInterval = 10 * time.Second
)

// Endorser checks what comes from a TPM.
type Endorser interface {
	// Endorse checks an EK certificate's chain, purpose and shape, and
	// rebuilds the EK's public area from the certificate's key and the
	// standard template. Sent may complete the chain. An error that wraps
	// ErrEndorsementEnded says that a certificate of the chain is out of date.
	Endorse(certificate []byte, sent [][]byte, now time.Time) (EndorsementKey, error)
	// Unendorsed rebuilds an EK's public area from a SubjectPublicKeyInfo
	// that nobody vouches for.
	Unendorsed(spki []byte) (EndorsementKey, error)
	// CheckAK checks that ak (TPMT_PUBLIC) is a restricted signing key that
	// was made in a TPM and cannot leave it.
	CheckAK(ak []byte) error
	// CheckSoftwareKey accepts the SubjectPublicKeyInfo of the attestation key
	// of a machine without a TPM.
	CheckSoftwareKey(spki []byte) error
	// SoftwareCertified is Certified for such a machine.
	SoftwareCertified(key wire.CertifiedKey, attestation []byte, purpose string, nonce [wire.NonceSize]byte, tlsSPKI [sha256.Size]byte) ([sha256.Size]byte, error)
	// Certified checks the AK's certification of key for purpose, and returns
	// the SHA-256 digest of the key's SubjectPublicKeyInfo.
	Certified(key wire.CertifiedKey, ak, qualifiedName []byte, purpose string, nonce [wire.NonceSize]byte, tlsSPKI [sha256.Size]byte) ([sha256.Size]byte, error)
}

// ErrEndorsementEnded is what an Endorser's error wraps where a certificate is
// not valid at this time.
var ErrEndorsementEnded = errors.New("enrolment: a certificate of the chain is not valid now")

// EndorsementKey is an EK as the PDP rebuilt it.
type EndorsementKey interface {
	// Digest is SHA-256 over the EK's SubjectPublicKeyInfo.
	Digest() [sha256.Size]byte
	// Template names the standard template: "rsa-2048", "p-256" or "p-384".
	Template() string
	// QualifiedName returns the AK's Qualified Name as a child of this EK in
	// the endorsement hierarchy.
	QualifiedName(ak []byte) ([]byte, error)
	// Challenge wraps secret so that only a TPM that holds both this EK and
	// this AK can release it (TPM2_MakeCredential).
	Challenge(ak, secret []byte) (blob, encryptedSecret []byte, err error)
}

// Devices is what enrolment needs of the directory. A missing record gives an
// error that wraps store.ErrNotFound, a lost race store.ErrConflict.
type Devices interface {
	CheckNewDevice(ctx context.Context, agency, name string) error
	DeviceByEK(ctx context.Context, ek [32]byte) (wire.Device, error)
	DeviceBySPKI(ctx context.Context, spki [32]byte) (wire.Device, error)
	DeviceByName(ctx context.Context, agency, name string) (wire.Device, error)
	AddDevice(ctx context.Context, dev wire.Device, replaces string, conditions []store.Compare, ops []store.Op) error
}

// Fleet is what lists of expected devices need of the directory.
type Fleet interface {
	Devices(ctx context.Context, agency string) ([]wire.Device, error)
	ApproveDevice(ctx context.Context, id string) (wire.Device, error)
	CheckDeviceGroup(group string) error
	PersonByAccount(ctx context.Context, agency, account string) (wire.Person, error)
}

// Sealer makes the ticket that lies between start and finish.
type Sealer interface {
	Seal(purpose string, expires time.Time, v any) (string, error)
	Open(purpose, text string, now time.Time, v any) error
}

// Recorder returns when the record is durable.
type Recorder interface {
	Append(ctx context.Context, r wire.AuditRecord) (uint64, error)
}

// Config is what an Enroller needs; every field is required.
type Config struct {
	Store    store.Store
	Devices  Devices
	Fleet    Fleet
	Endorser Endorser
	Sealer   Sealer
	Recorder Recorder
	Clock    func() time.Time
	Random   io.Reader
	Logger   *slog.Logger
	// Authority is SHA-256 over the certificate of the CA that agents pin.
	Authority [sha256.Size]byte
	// WebOrigin is the only origin whose pages an enrolled agent answers.
	WebOrigin string
}

// Enroller enrols devices. It is safe for concurrent use.
type Enroller struct {
	Config
	strangers atomic.Uint64
	attempts  *pace.Pace
}

// New returns an Enroller.
func New(c Config) (*Enroller, error) {
	for name, missing := range map[string]bool{
		"store": c.Store == nil, "devices": c.Devices == nil, "fleet": c.Fleet == nil, "endorser": c.Endorser == nil, "sealer": c.Sealer == nil,
		"recorder": c.Recorder == nil, "clock": c.Clock == nil, "random": c.Random == nil, "logger": c.Logger == nil,
		"authority": c.Authority == [sha256.Size]byte{}, "web origin": c.WebOrigin == "",
	} {
		if missing {
			return nil, fmt.Errorf("enrolment: no %s", name)
		}
	}
	return &Enroller{Config: c, attempts: pace.New(attemptBurst, attemptInterval)}, nil
}

// Strangers counts the requests that were refused because they held no true
// code. They are not recorded one by one: a flood must not fill the log.
func (e *Enroller) Strangers() uint64 { return e.strangers.Load() }
