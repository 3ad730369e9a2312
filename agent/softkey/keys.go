package softkey

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Keys are a device's keys in a Store.
type Keys struct {
	store   Store
	public  [len(names)][]byte // SubjectPublicKeyInfo
	tlsSPKI [sha256.Size]byte
}

// New takes a store's keys into use.
func New(store Store) (*Keys, error) {
	k := &Keys{store: store}
	for i := range names {
		der, err := x509.MarshalPKIXPublicKey(store.Public(Key(i)))
		if err != nil {
			return nil, fmt.Errorf("softkey: %s key: %w", names[i], err)
		}
		k.public[i] = der
	}
	k.tlsSPKI = sha256.Sum256(k.public[TLS])
	return k, nil
}

// Attestation is the attestation key's SubjectPublicKeyInfo.
func (k *Keys) Attestation() []byte { return k.public[Attestation] }

// TLSSigner lends the TLS key for SHA-256 digests.
func (k *Keys) TLSSigner() crypto.Signer { return signer{k.store, TLS} }

// Certified has the attestation key sign all three keys, its own first, for the
// PDP's nonce at enrolment.
func (k *Keys) Certified(nonce [wire.NonceSize]byte) (own, tls, signing wire.CertifiedKey, err error) {
	for which, to := range map[Key]*wire.CertifiedKey{Attestation: &own, TLS: &tls, Signing: &signing} {
		binding := wire.SoftwareCertifyBinding(names[which], nonce, k.public[which], k.tlsSPKI)
		to.Public = k.public[which]
		if to.Signature, err = k.store.Sign(Attestation, binding); err != nil {
			return own, tls, signing, err
		}
	}
	return own, tls, signing, nil
}

// Prove signs one nonce and the digest of a claims document with the next
// number of the counter.
func (k *Keys) Prove(nonce [wire.NonceSize]byte, claims [sha256.Size]byte) (wire.SoftwareProof, error) {
	counter, err := k.store.Count()
	if err != nil {
		return wire.SoftwareProof{}, err
	}
	signature, err := k.store.Sign(Attestation, wire.SoftwareBindingOf(nonce, claims, k.tlsSPKI, counter))
	return wire.SoftwareProof{Counter: counter, Signature: signature}, err
}

type signer struct {
	store Store
	key   Key
}

var errDigest = errors.New("softkey: this key signs SHA-256 digests only")

// Public implements crypto.Signer.
func (s signer) Public() crypto.PublicKey { return s.store.Public(s.key) }

// Sign implements crypto.Signer.
func (s signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if len(digest) != sha256.Size || opts == nil || opts.HashFunc() != crypto.SHA256 {
		return nil, errDigest
	}
	return s.store.Sign(s.key, [sha256.Size]byte(digest))
}
