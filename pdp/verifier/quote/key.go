package quote

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"fmt"
)

// Attributes of an AK (TPMA_OBJECT, part 2, 8.3) that must be set, and that
// must not be. Enrolment checks them one by one and tells which is wrong
// (endorsement.CheckAK); here they keep a device record that was tampered with
// from naming a key that signs anything.
const (
	attributesSet   uint32 = 1<<1 | 1<<4 | 1<<5 | 1<<6 | 1<<16 | 1<<18 // fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, restricted, sign
	attributesClear uint32 = 1 << 17                                   // decrypt
)

// Key is a pinned attestation key, parsed once and good for many
// verifications. It is safe for concurrent use.
type Key struct {
	public        *ecdsa.PublicKey
	qualifiedName []byte
}

// NewKey reads the TPMT_PUBLIC that was pinned at enrolment, and the Qualified
// Name that was computed then.
func NewKey(public, qualifiedName []byte) (*Key, error) {
	if len(qualifiedName) != 2+sha256.Size || !bytes.HasPrefix(qualifiedName, []byte{0, byte(algSHA256)}) {
		return nil, fmt.Errorf("%w: it has no Qualified Name", ErrKey)
	}
	c := cursor{rest: public}
	kind, nameAlg, attributes := c.u16(), c.u16(), c.u32()
	policy := c.sized(maxDigest)
	symmetric, scheme, hash, curve, kdf := c.u16(), c.u16(), c.u16(), c.u16(), c.u16()
	x, y := c.sized(scalarSize), c.sized(scalarSize)
	switch {
	case !c.end(), len(policy) != 0:
		return nil, fmt.Errorf("%w: malformed", ErrKey)
	case kind != algECC, nameAlg != algSHA256, symmetric != algNull, scheme != algECDSA, hash != algSHA256, curve != curveP256, kdf != algNull:
		return nil, fmt.Errorf("%w: not ECDSA on P-256 with SHA-256", ErrKey)
	case attributes&attributesSet != attributesSet, attributes&attributesClear != 0:
		return nil, fmt.Errorf("%w: attributes %#x", ErrKey, attributes)
	}
	// Some TPMs leave out a coordinate's leading zeros.
	var point [1 + 2*scalarSize]byte
	point[0] = 4 // SEC 1, 2.3.3: uncompressed
	copy(point[1+scalarSize-len(x):], x)
	copy(point[1+2*scalarSize-len(y):], y)
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point[:])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return &Key{public: key, qualifiedName: bytes.Clone(qualifiedName)}, nil
}
