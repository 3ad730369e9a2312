package attacker

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/google/go-tpm/tpm2/transport/linuxudstpm"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Chip is a software TPM as the attacker drives it. Nothing stays loaded in it
// between two calls.
type Chip struct{ TPM transport.TPM }

// OpenChip opens the software TPM behind a Unix socket.
func OpenChip(socket string) (*Chip, error) {
	t, err := linuxudstpm.Open(socket)
	if err != nil {
		return nil, err
	}
	return &Chip{t}, nil
}

// Where a maker leaves the P-384 EK and its certificate (TCG EK Credential
// Profile 2.5, 2.2.2).
const (
	ekHandle      tpm2.TPMHandle = 0x81010016
	ekCertificate tpm2.TPMHandle = 0x01c00016
)

// Key is one made in a TPM, at rest.
type Key struct {
	Public, Private, Auth []byte
	// Above is the primary key that it hangs on; nil stands for the EK.
	Above *tpm2.CreatePrimary
}

// handle is something loaded, ready to be named in a command.
type handle = tpm2.AuthHandle

// parent loads what a key hangs on.
func (c *Chip) parent(above *tpm2.CreatePrimary) (h handle, release func(), err error) {
	if above == nil {
		found, err := tpm2.ReadPublic{ObjectHandle: ekHandle}.Execute(c.TPM)
		if err != nil {
			return h, nil, fmt.Errorf("attacker: the EK: %w", err)
		}
		return handle{Handle: ekHandle, Name: found.Name, Auth: tpm2.PasswordAuth(nil)}, func() {}, nil
	}
	made, err := above.Execute(c.TPM)
	if err != nil {
		return h, nil, fmt.Errorf("attacker: a primary key: %w", err)
	}
	return handle{Handle: made.ObjectHandle, Name: made.Name, Auth: tpm2.PasswordAuth(nil)}, func() { c.flush(made.ObjectHandle) }, nil
}

func (c *Chip) flush(h tpm2.TPMHandle) {
	_, _ = tpm2.FlushContext{FlushHandle: h}.Execute(c.TPM) // the next use says if it is still there
}

// Clear unloads whatever somebody left in a TPM that has no resource manager.
func (c *Chip) Clear() error {
	for _, first := range []uint32{0x02000000, 0x03000000, 0x80000000} { // sessions, and transient objects (part 2, 7.2)
		answer, err := tpm2.GetCapability{Capability: tpm2.TPMCapHandles, Property: first, PropertyCount: 64}.Execute(c.TPM)
		if err != nil {
			return fmt.Errorf("attacker: what is loaded: %w", err)
		}
		found, err := answer.CapabilityData.Data.Handles()
		if err != nil {
			return fmt.Errorf("attacker: what is loaded: %w", err)
		}
		for _, h := range found.Handle {
			c.flush(h)
		}
	}
	return nil
}

// Create makes a key under the EK, or under a primary key of another hierarchy.
func (c *Chip) Create(template tpm2.TPMTPublic, above *tpm2.CreatePrimary) (Key, error) {
	parent, release, err := c.parent(above)
	if err != nil {
		return Key{}, err
	}
	defer release()
	made, err := tpm2.Create{ParentHandle: parent, InPublic: tpm2.New2B(template)}.Execute(c.TPM)
	if err != nil {
		return Key{}, fmt.Errorf("attacker: making a key: %w", err)
	}
	return Key{Public: made.OutPublic.Bytes(), Private: made.OutPrivate.Buffer, Above: above}, nil
}

// use loads keys, does something with them, and unloads them.
func (c *Chip) use(do func(loaded []handle) error, keys ...Key) error {
	var loaded []handle
	defer func() {
		for _, h := range loaded {
			c.flush(h.Handle)
		}
	}()
	for _, k := range keys {
		parent, release, err := c.parent(k.Above)
		if err != nil {
			return err
		}
		public := tpm2.BytesAs2B[tpm2.TPMTPublic](k.Public)
		answer, err := tpm2.Load{ParentHandle: parent, InPrivate: tpm2.TPM2BPrivate{Buffer: k.Private}, InPublic: public}.Execute(c.TPM)
		release()
		if err != nil {
			return fmt.Errorf("attacker: loading a key: %w", err)
		}
		loaded = append(loaded, handle{Handle: answer.ObjectHandle, Name: answer.Name, Auth: tpm2.PasswordAuth(k.Auth)})
	}
	return do(loaded)
}

// Activate answers a credential challenge with the EK for an AK.
func (c *Chip) Activate(ak Key, blob, encrypted []byte) (secret []byte, err error) {
	err = c.use(func(loaded []handle) error {
		ek, release, err := c.parent(nil)
		if err != nil {
			return err
		}
		defer release()
		answer, err := tpm2.ActivateCredential{
			ActivateHandle: loaded[0], KeyHandle: ek,
			CredentialBlob: tpm2.TPM2BIDObject{Buffer: blob}, Secret: tpm2.TPM2BEncryptedSecret{Buffer: encrypted},
		}.Execute(c.TPM)
		if err == nil {
			secret = answer.CertInfo.Buffer
		}
		return err
	}, ak)
	return secret, err
}

// Certify has ak certify a key for extra.
func (c *Chip) Certify(ak, key Key, extra []byte) (certified wire.CertifiedKey, err error) {
	err = c.use(func(loaded []handle) error {
		answer, err := tpm2.Certify{
			ObjectHandle: loaded[0], SignHandle: loaded[1], QualifyingData: tpm2.TPM2BData{Buffer: extra},
			InScheme: tpm2.TPMTSigScheme{Scheme: tpm2.TPMAlgNull},
		}.Execute(c.TPM)
		if err == nil {
			certified = wire.CertifiedKey{Public: key.Public, Attest: answer.CertifyInfo.Bytes(), Signature: tpm2.Marshal(answer.Signature)}
		}
		return err
	}, key, ak)
	return certified, err
}

// Quote has a key quote any selection of PCRs.
func (c *Chip) Quote(ak Key, extra []byte, selection tpm2.TPMLPCRSelection) (quote wire.Quote, err error) {
	err = c.use(func(loaded []handle) error {
		answer, err := tpm2.Quote{
			SignHandle: loaded[0], QualifyingData: tpm2.TPM2BData{Buffer: extra},
			InScheme: tpm2.TPMTSigScheme{Scheme: tpm2.TPMAlgNull}, PCRSelect: selection,
		}.Execute(c.TPM)
		if err == nil {
			quote = wire.Quote{Attest: answer.Quoted.Bytes(), Signature: tpm2.Marshal(answer.Signature)}
		}
		return err
	}, ak)
	return quote, err
}

// Time has a key sign the TPM's time: an attestation, and no quote.
func (c *Chip) Time(ak Key, extra []byte) (quote wire.Quote, err error) {
	err = c.use(func(loaded []handle) error {
		answer, err := tpm2.GetTime{
			PrivacyAdminHandle: tpm2.TPMRHEndorsement,
			SignHandle:         loaded[0], QualifyingData: tpm2.TPM2BData{Buffer: extra},
			InScheme: tpm2.TPMTSigScheme{Scheme: tpm2.TPMAlgNull},
		}.Execute(c.TPM)
		if err == nil {
			quote = wire.Quote{Attest: answer.TimeInfo.Bytes(), Signature: tpm2.Marshal(answer.Signature)}
		}
		return err
	}, ak)
	return quote, err
}

// Sign has an unrestricted key sign a digest of anything.
func (c *Chip) Sign(key Key, digest []byte) (signature []byte, err error) {
	return c.sign(key, digest, tpm2.TPMTTKHashCheck{Tag: tpm2.TPMSTHashCheck, Hierarchy: tpm2.TPMRHNull})
}

// SignAnything has an unrestricted key sign data, whatever it is: an attestation
// that no TPM made, too.
func (c *Chip) SignAnything(key Key, data []byte) ([]byte, error) {
	sum := sha256.Sum256(data)
	return c.Sign(key, sum[:])
}

// SignHashed has a key sign data that the TPM hashes itself: a restricted key
// does that too, for whatever does not begin as an attestation.
func (c *Chip) SignHashed(key Key, data []byte) (signature []byte, err error) {
	hashed, err := tpm2.Hash{Data: tpm2.TPM2BMaxBuffer{Buffer: data}, HashAlg: tpm2.TPMAlgSHA256, Hierarchy: tpm2.TPMRHOwner}.Execute(c.TPM)
	if err != nil {
		return nil, fmt.Errorf("attacker: hashing: %w", err)
	}
	return c.sign(key, hashed.OutHash.Buffer, hashed.Validation)
}

func (c *Chip) sign(key Key, digest []byte, ticket tpm2.TPMTTKHashCheck) (signature []byte, err error) {
	err = c.use(func(loaded []handle) error {
		answer, err := tpm2.Sign{KeyHandle: loaded[0], Digest: tpm2.TPM2BDigest{Buffer: digest}, Validation: ticket}.Execute(c.TPM)
		if err == nil {
			signature = tpm2.Marshal(answer.Signature)
		}
		return err
	}, key)
	return signature, err
}

// Advance sets the TPM's clock forward, which its owner may (TPM2_ClockSet,
// part 3, 29.2; go-tpm has no such command).
func (c *Chip) Advance(by time.Duration) error {
	now, err := tpm2.ReadClock{}.Execute(c.TPM)
	if err != nil {
		return err
	}
	command := []byte{0x80, 0x02, 0, 0, 0, 35, 0, 0, 0x01, 0x28}
	command = binary.BigEndian.AppendUint32(command, uint32(tpm2.TPMRHOwner))
	command = append(command, 0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0) // an empty password
	command = binary.BigEndian.AppendUint64(command, now.CurrentTime.ClockInfo.Clock+uint64(by.Milliseconds()))
	answer, err := c.TPM.Send(command)
	if err != nil {
		return err
	}
	if len(answer) < 10 || binary.BigEndian.Uint32(answer[6:]) != 0 {
		return fmt.Errorf("attacker: setting the clock: answer %x", answer)
	}
	return nil
}

// EKCertificate is the certificate that the maker left in NV.
func (c *Chip) EKCertificate() ([]byte, error) {
	about, err := tpm2.NVReadPublic{NVIndex: ekCertificate}.Execute(c.TPM)
	if err != nil {
		return nil, fmt.Errorf("attacker: the EK's certificate: %w", err)
	}
	public, err := about.NVPublic.Contents()
	if err != nil {
		return nil, err
	}
	const piece = 512
	var der []byte
	for size := int(public.DataSize); len(der) < size; {
		part, err := tpm2.NVRead{
			AuthHandle: handle{Handle: ekCertificate, Name: about.NVName, Auth: tpm2.PasswordAuth(nil)},
			NVIndex:    tpm2.NamedHandle{Handle: ekCertificate, Name: about.NVName},
			Size:       uint16(min(piece, size-len(der))), Offset: uint16(len(der)),
		}.Execute(c.TPM)
		if err != nil {
			return nil, fmt.Errorf("attacker: the EK's certificate: %w", err)
		}
		if len(part.Data.Buffer) == 0 {
			return nil, errors.New("attacker: the EK's certificate ends early")
		}
		der = append(der, part.Data.Buffer...)
	}
	return der, nil
}

// EKPublic is the EK's TPMT_PUBLIC.
func (c *Chip) EKPublic() (*tpm2.TPMTPublic, error) {
	found, err := tpm2.ReadPublic{ObjectHandle: ekHandle}.Execute(c.TPM)
	if err != nil {
		return nil, fmt.Errorf("attacker: the EK: %w", err)
	}
	return found.OutPublic.Contents()
}
