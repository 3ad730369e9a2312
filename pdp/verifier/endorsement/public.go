package endorsement

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"fmt"

	"github.com/google/go-tpm/tpm2"
)

// attribute is one bit of TPMA_OBJECT (part 2, 8.3) with what must be of it.
type attribute struct {
	bit  int
	name string
	set  bool
}

// noDA may be either: it protects guessable authorization values, and how the
// value was chosen does not show.
const noDA = 10

// attestationKey is what an AK's attributes must be. Restricted is the one that
// all rests on: an unrestricted key signs whatever it is given, a forged quote
// too. Decrypt is refused with it: such a key is a storage key.
var attestationKey = append([]attribute{{16, "restricted", true}}, boundToTPM...)

// deviceKey is what a TLS or signing key's attributes must be. A restricted key
// cannot sign a TLS handshake, and one that could would sign attestations.
var deviceKey = append([]attribute{{16, "restricted", false}}, boundToTPM...)

// boundToTPM says that a TPM made the key and that it never leaves it.
var boundToTPM = []attribute{
	{1, "fixedTPM", true},
	{2, "stClear", false},
	{4, "fixedParent", true},
	{5, "sensitiveDataOrigin", true},
	{6, "userWithAuth", true},
	{7, "adminWithPolicy", false},
	{11, "encryptedDuplication", false},
	{17, "decrypt", false},
	{18, "sign", true},
	{19, "x509sign", false},
}

// CheckAK checks that public (TPMT_PUBLIC) is a restricted signing key of the
// one accepted kind that cannot leave its TPM, and returns its Name.
func CheckAK(public []byte) (name []byte, err error) {
	p, err := read(public)
	if err == nil {
		err = p.fulfils(attestationKey)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAK, err)
	}
	return p.name, nil
}

// CheckDeviceKey checks that public (TPMT_PUBLIC) is an unrestricted signing
// key of the one accepted kind that cannot leave its TPM. It returns its Name,
// and the SHA-256 digest of its SubjectPublicKeyInfo.
func CheckDeviceKey(public []byte) (name []byte, spki [sha256.Size]byte, err error) {
	p, err := read(public)
	if err == nil {
		err = p.fulfils(deviceKey)
	}
	if err != nil {
		return nil, spki, fmt.Errorf("%w: %w", ErrDeviceKey, err)
	}
	der, err := x509.MarshalPKIXPublicKey(p.key)
	if err != nil {
		return nil, spki, fmt.Errorf("%w: %w", ErrDeviceKey, err)
	}
	return p.name, sha256.Sum256(der), nil
}

// public is a TPMT_PUBLIC of an ECDSA P-256 key with SHA-256.
type public struct {
	key        *ecdsa.PublicKey
	attributes uint32
	name       []byte
}

// read reads one TPMT_PUBLIC that fills raw and marshals to the same bytes, of
// the one accepted kind.
func read(raw []byte) (*public, error) {
	p, err := tpm2.Unmarshal[tpm2.TPMTPublic](raw)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(tpm2.Marshal(p), raw) {
		return nil, fmt.Errorf("a public area that does not marshal to itself")
	}
	if p.NameAlg != tpm2.TPMAlgSHA256 || len(p.AuthPolicy.Buffer) != 0 {
		return nil, fmt.Errorf("not named by SHA-256 and without a policy")
	}
	parameters, err := p.Parameters.ECCDetail()
	if err != nil {
		return nil, fmt.Errorf("not an ECC key: %w", err)
	}
	scheme, err := parameters.Scheme.Details.ECDSA()
	if err != nil || scheme.HashAlg != tpm2.TPMAlgSHA256 {
		return nil, fmt.Errorf("its scheme is not ECDSA with SHA-256")
	}
	if parameters.CurveID != tpm2.TPMECCNistP256 || parameters.Symmetric.Algorithm != tpm2.TPMAlgNull || parameters.KDF.Scheme != tpm2.TPMAlgNull {
		return nil, fmt.Errorf("not a P-256 signing key")
	}
	key, err := point(p)
	if err != nil {
		return nil, err
	}
	name := sha256.Sum256(raw)
	return &public{
		key: key, attributes: binary.BigEndian.Uint32(raw[4:8]), // after type and nameAlg
		name: append(binary.BigEndian.AppendUint16(nil, uint16(tpm2.TPMAlgSHA256)), name[:]...),
	}, nil
}

func point(p *tpm2.TPMTPublic) (*ecdsa.PublicKey, error) {
	const size = 32
	unique, err := p.Unique.ECC()
	if err != nil {
		return nil, err
	}
	x, y := unique.X.Buffer, unique.Y.Buffer
	if len(x) > size || len(y) > size {
		return nil, fmt.Errorf("a coordinate is too long")
	}
	var sec1 [1 + 2*size]byte
	sec1[0] = 4
	copy(sec1[1+size-len(x):], x)
	copy(sec1[1+2*size-len(y):], y)
	return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), sec1[:])
}

func (p *public) fulfils(demands []attribute) error {
	known := uint32(1) << noDA
	for _, d := range demands {
		mask := uint32(1) << d.bit
		known |= mask
		if (p.attributes&mask != 0) != d.set {
			return fmt.Errorf("attribute %s must be %s", d.name, map[bool]string{true: "set", false: "clear"}[d.set])
		}
	}
	if p.attributes&^known != 0 {
		return fmt.Errorf("unknown attributes %#x", p.attributes&^known)
	}
	return nil
}
