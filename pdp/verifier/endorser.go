package verifier

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/verifier/endorsement"
	"github.com/menshen-zt/menshen/pdp/verifier/quote"
)

// Purposes of certified keys, as wire.CertifyBinding names them.
const (
	PurposeTLS     = "tls"
	PurposeSigning = "signing"
)

var (
	// ErrPurpose says that keys are not certified for that purpose.
	ErrPurpose = errors.New("verifier: no such purpose of a key")
	// ErrCertified says that the certification is of another key.
	ErrCertified = errors.New("verifier: the certification is not of this key")
	// ErrConnection says that another key than the connection's was certified.
	ErrConnection = errors.New("verifier: not the key of this connection")
)

// Endorser judges what a machine says of its TPM when it enrols.
type Endorser struct {
	roots, intermediates *x509.CertPool
	random               io.Reader
}

// NewEndorser trusts the TPM makers' roots alone.
func NewEndorser(roots, intermediates *x509.CertPool, random io.Reader) (*Endorser, error) {
	if roots == nil || intermediates == nil || random == nil {
		return nil, errors.New("verifier: an endorser needs roots, intermediates and randomness")
	}
	return &Endorser{roots, intermediates, random}, nil
}

// EndorsementKey is an EK as it was rebuilt from a certificate or a bare key.
type EndorsementKey struct {
	*endorsement.Key
	random io.Reader
}

// Challenge wraps secret so that only a TPM that holds this EK and this AK can
// release it.
func (k *EndorsementKey) Challenge(ak, secret []byte) (blob, encryptedSecret []byte, err error) {
	return k.Key.Challenge(ak, secret, k.random)
}

// Endorse judges an EK certificate, with what the device sent to complete its
// chain, and rebuilds the EK.
func (e *Endorser) Endorse(certificate []byte, sent [][]byte, now time.Time) (*EndorsementKey, error) {
	key, err := endorsement.Check(certificate, sent, e.roots, e.intermediates, now)
	if err != nil {
		return nil, err
	}
	return &EndorsementKey{key, e.random}, nil
}

// Unendorsed rebuilds an EK that nobody vouches for.
func (e *Endorser) Unendorsed(spki []byte) (*EndorsementKey, error) {
	key, err := endorsement.Unendorsed(spki)
	if err != nil {
		return nil, err
	}
	return &EndorsementKey{key, e.random}, nil
}

// CheckAK checks that ak (TPMT_PUBLIC) can be an attestation key.
func (e *Endorser) CheckAK(ak []byte) error {
	_, err := endorsement.CheckAK(ak)
	return err
}

// Certified checks that the AK, under its Qualified Name, certified key for
// purpose and nonce on the connection of tlsSPKI, and that key never leaves its
// TPM and signs no attestations. It returns SHA-256 over the key's
// SubjectPublicKeyInfo.
func (e *Endorser) Certified(key wire.CertifiedKey, ak, qualifiedName []byte, purpose string, nonce [wire.NonceSize]byte, tlsSPKI [sha256.Size]byte) ([sha256.Size]byte, error) {
	var none [sha256.Size]byte
	if purpose != PurposeTLS && purpose != PurposeSigning {
		return none, fmt.Errorf("%w: %q", ErrPurpose, purpose)
	}
	pinned, err := quote.NewKey(ak, qualifiedName)
	if err != nil {
		return none, err
	}
	certified, err := pinned.VerifyCertify(key.Attest, key.Signature, wire.CertifyBinding(purpose, nonce, tlsSPKI))
	if err != nil {
		return none, err
	}
	name, spki, err := endorsement.CheckDeviceKey(key.Public)
	if err != nil {
		return none, err
	}
	// The Name is the digest of the whole public area, attributes included
	// (TPM 2.0 part 1, 16.3).
	if !bytes.Equal(certified.Name, name) {
		return none, ErrCertified
	}
	if purpose == PurposeTLS && spki != tlsSPKI {
		return none, ErrConnection
	}
	return spki, nil
}
