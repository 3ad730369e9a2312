package tpm

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"

	"github.com/google/go-tpm/tpm2"
)

// TLSSigner lends the TLS key; it never leaves the TPM. It makes ECDSA P-256
// signatures over SHA-256 digests, which is what TLS 1.3 asks of such a key.
func (k *Keys) TLSSigner() crypto.Signer { return &signer{k, k.tls, k.tlsPublic} }

// Signer lends the signing key in the same way.
func (k *Keys) Signer() crypto.Signer { return &signer{k, k.signing, k.signingPublic} }

type signer struct {
	keys   *Keys
	key    *key
	public *ecdsa.PublicKey
}

var errDigest = errors.New("tpm: this key signs SHA-256 digests only")

// Public implements crypto.Signer.
func (s *signer) Public() crypto.PublicKey { return s.public }

// Sign implements crypto.Signer; the TPM draws its own randomness.
func (s *signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if len(digest) != sha256.Size || opts == nil || opts.HashFunc() != crypto.SHA256 {
		return nil, errDigest
	}
	var signature []byte
	err := s.keys.tpm.use(s.keys.kind, func(handles []tpm2.AuthHandle) error {
		answer, err := tpm2.Sign{
			KeyHandle:  handles[0],
			Digest:     tpm2.TPM2BDigest{Buffer: digest},
			Validation: tpm2.TPMTTKHashCheck{Tag: tpm2.TPMSTHashCheck, Hierarchy: tpm2.TPMRHNull},
		}.Execute(s.keys.tpm.connection)
		if err != nil {
			return explain("signing", err)
		}
		pair, err := answer.Signature.Signature.ECDSA()
		if err != nil {
			return explain("reading the signature", err)
		}
		signature, err = asn1.Marshal(struct{ R, S *big.Int }{
			new(big.Int).SetBytes(pair.SignatureR.Buffer), new(big.Int).SetBytes(pair.SignatureS.Buffer),
		})
		return err
	}, s.key)
	return signature, err
}
