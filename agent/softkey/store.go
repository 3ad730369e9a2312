package softkey

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"errors"
)

// Key names one of a device's keys. All are P-256.
type Key int

// A device's keys.
const (
	Attestation Key = iota
	TLS
	Signing
)

var names = [...]string{Attestation: "attestation", TLS: "tls", Signing: "signing"}

// Store is what the agent needs of whatever keeps a device's keys where there
// is no TPM. The file of this package is one. A Secure Enclave would be another:
// kSecAttrTokenIDSecureEnclave keys are P-256 and cannot leave it; Public and
// Sign are SecKeyCopyPublicKey and SecKeyCreateSignature with
// ecdsaSignatureDigestX962SHA256; Count lies in the keychain beside them. It
// quotes nothing, so the proof is the same, and only the provenance that the
// PDP records would be another. Implementations are safe for concurrent use.
type Store interface {
	Public(k Key) *ecdsa.PublicKey
	// Sign returns the ASN.1 ECDSA signature over a SHA-256 digest.
	Sign(k Key, digest [sha256.Size]byte) ([]byte, error)
	// Count makes the counter one larger, keeps that, and then returns it: a
	// number that was returned is never returned again, after a crash either.
	Count() (uint64, error)
}

// Errors that a caller can act on.
var (
	// ErrSecret says that the secret is missing, open to others or no secret.
	ErrSecret = errors.New("softkey: no usable secret")
	// ErrSealed says that the keys do not open with this secret, or are damaged.
	ErrSealed = errors.New("softkey: the keys do not open")
	// ErrCounter says that the counter cannot be read or kept.
	ErrCounter = errors.New("softkey: the counter is lost")
)
