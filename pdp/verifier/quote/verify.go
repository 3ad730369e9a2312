package quote

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Verify checks a quote made for extraData and the PCR values that came with
// it, and returns the TPM's clock at that moment.
func (k *Key) Verify(q wire.Quote, extraData [sha256.Size]byte, pcrs []wire.PCRValue) (wire.TPMClock, error) {
	a, err := k.attest(q.Attest, q.Signature, typeQuote, extraData)
	if err != nil {
		return wire.TPMClock{}, err
	}
	// Exactly one bank, SHA-256, and in it exactly the PCRs asked for.
	if len(a.Selections) != 1 || a.Selections[0].Hash != algSHA256 || !selectsQuoted(a.Selections[0].PCRs) {
		return wire.TPMClock{}, ErrSelection
	}
	digest, err := digestOf(pcrs)
	if err != nil {
		return wire.TPMClock{}, err
	}
	if !bytes.Equal(a.PCRDigest, digest[:]) {
		return wire.TPMClock{}, ErrDigest
	}
	return a.Clock, nil
}

// Certified is what a TPM2_Certify says of the key that it certified.
type Certified struct {
	Name          []byte
	QualifiedName []byte
}

// VerifyCertify checks a certification made for extraData.
func (k *Key) VerifyCertify(attest, signature []byte, extraData [sha256.Size]byte) (Certified, error) {
	a, err := k.attest(attest, signature, typeCertify, extraData)
	if err != nil {
		return Certified{}, err
	}
	return Certified{Name: a.Name, QualifiedName: a.QualifiedName}, nil
}

// attest checks what every attestation must fulfil. Nothing of the structure
// is believed before its signature is.
func (k *Key) attest(attest, signature []byte, kind uint16, extraData [sha256.Size]byte) (Attest, error) {
	if len(attest) > wire.MaxQuoteBytes {
		return Attest{}, ErrMalformed
	}
	s, err := ParseSignature(signature)
	if err != nil {
		return Attest{}, err
	}
	var buffer [2 + 2*(2+1+scalarSize)]byte
	digest := sha256.Sum256(attest)
	if !ecdsa.VerifyASN1(k.public, digest[:], s.der(buffer[:])) {
		return Attest{}, ErrSignature
	}
	a, err := ParseAttest(attest)
	switch {
	case err != nil:
		return Attest{}, err
	case a.Type != kind:
		return Attest{}, ErrType
	case !bytes.Equal(a.ExtraData, extraData[:]):
		return Attest{}, ErrExtraData
	case !bytes.Equal(a.QualifiedSigner, k.qualifiedName):
		return Attest{}, ErrSigner
	}
	return a, nil
}

// selectsQuoted reports whether bits select wire.QuotedPCRs and no other.
func selectsQuoted(bits []byte) bool {
	var want [maxPCRSelect]byte
	for _, index := range wire.QuotedPCRs {
		want[index/8] |= 1 << (index % 8)
	}
	var got [maxPCRSelect]byte
	copy(got[:], bits)
	return got == want
}

// digestOf computes what the quote must carry (part 4, 9.7: the selected PCRs'
// values, ascending, hashed together), and refuses values that are too few, too
// many, out of order or of another size.
func digestOf(pcrs []wire.PCRValue) ([sha256.Size]byte, error) {
	if len(pcrs) != len(wire.QuotedPCRs) {
		return [sha256.Size]byte{}, ErrPCRs
	}
	var all [len(wire.QuotedPCRs) * sha256.Size]byte
	for i, value := range pcrs {
		if value.Index != wire.QuotedPCRs[i] || len(value.Digest) != sha256.Size {
			return [sha256.Size]byte{}, ErrPCRs
		}
		copy(all[i*sha256.Size:], value.Digest)
	}
	return sha256.Sum256(all[:]), nil
}
