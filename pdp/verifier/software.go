package verifier

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// proveBySoftware proves that the device's software key signed this nonce, these
// claims, this connection and a counter that grew. The counter stands for the
// clock. Such a key can be copied: it says nothing of hardware, and two copies
// of it are told by a counter that does not grow, for good.
func proveBySoftware(in Input, claims [sha256.Size]byte) (proof, *wire.Finding) {
	e := in.Evidence
	if !noTPM(e) {
		return proof{}, tampered(reason.QuoteForSoftware)
	}
	if e.Software == nil {
		return proof{}, tampered(reason.SoftwareMissing)
	}
	key, err := softwareKey(in.Device.AK)
	if err != nil {
		return proof{}, unsupported(reason.EvidenceUnpinned)
	}
	counter := e.Software.Counter
	binding := wire.SoftwareBindingOf(in.Nonce, claims, [sha256.Size]byte(in.Device.TLSSPKI), counter)
	if len(e.Software.Signature) > maxSoftwareSignature || !ecdsa.VerifyASN1(key, binding[:], e.Software.Signature) {
		return proof{}, tampered(reason.SoftwareProofBad)
	}
	if in.Cloned || in.Previous != nil && counter <= in.Previous.Clock {
		return proof{}, cloned(in.Previous, counter)
	}
	return proof{claims: claims, clock: wire.TPMClock{Clock: counter}, hardware: wire.TrustNone}, nil
}

// maxSoftwareSignature is the longest ASN.1 ECDSA P-256 signature.
const maxSoftwareSignature = 72

// noTPM reports whether Evidence carries nothing of a TPM or of a boot.
func noTPM(e wire.Evidence) bool {
	return len(e.Quote.Attest) == 0 && len(e.Quote.Signature) == 0 && len(e.PCRs) == 0 &&
		len(e.EventLog) == 0 && len(e.EventLogDigest) == 0 && e.IMA == nil
}

func cloned(previous *wire.TPMClock, counter uint64) *wire.Finding {
	f := &wire.Finding{Type: wire.FindingRolledBack, Reason: reason.New(reason.SoftwareCloned), Seen: fmt.Sprint(counter)}
	if previous != nil {
		f.Expected = fmt.Sprintf("more than %d", previous.Clock)
	}
	return f
}

var errSoftwareKey = errors.New("verifier: a software key is P-256 in the one form of SubjectPublicKeyInfo")

// softwareKey reads a software key as it was pinned.
func softwareKey(spki []byte) (*ecdsa.PublicKey, error) {
	parsed, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errSoftwareKey, err)
	}
	key, ok := parsed.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errSoftwareKey
	}
	if again, err := x509.MarshalPKIXPublicKey(key); err != nil || !bytes.Equal(again, spki) {
		return nil, errSoftwareKey
	}
	return key, nil
}

// CheckSoftwareKey accepts the attestation key of a device without a TPM.
func (*Endorser) CheckSoftwareKey(spki []byte) error {
	_, err := softwareKey(spki)
	return err
}

// SoftwareCertified checks the attestation key's signature over key for
// purpose, and returns the SHA-256 digest of the key's SubjectPublicKeyInfo.
func (*Endorser) SoftwareCertified(key wire.CertifiedKey, attestation []byte, purpose string, nonce [wire.NonceSize]byte, tlsSPKI [sha256.Size]byte) ([sha256.Size]byte, error) {
	signer, err := softwareKey(attestation)
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	if _, err := softwareKey(key.Public); err != nil {
		return [sha256.Size]byte{}, err
	}
	binding := wire.SoftwareCertifyBinding(purpose, nonce, key.Public, tlsSPKI)
	if len(key.Attest) != 0 || len(key.Signature) > maxSoftwareSignature || !ecdsa.VerifyASN1(signer, binding[:], key.Signature) {
		return [sha256.Size]byte{}, fmt.Errorf("verifier: the %s key is not certified by this attestation key", purpose)
	}
	return sha256.Sum256(key.Public), nil
}
