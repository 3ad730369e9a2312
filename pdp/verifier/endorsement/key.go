package endorsement

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/google/go-tpm/tpm2"
)

// Names of the standard templates, as wire.EnrolChallenge says them.
const (
	RSA2048 = "rsa-2048"
	P256    = "p-256"
	P384    = "p-384"
)

// Key is an EK as this package rebuilt it.
type Key struct {
	template string
	public   tpm2.TPMTPublic
	digest   [sha256.Size]byte
}

// Rebuild makes the EK's public area from its public key and the standard
// template for such keys.
func Rebuild(public crypto.PublicKey) (*Key, error) {
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	k := &Key{digest: sha256.Sum256(spki)}
	switch public := public.(type) {
	case *rsa.PublicKey:
		if public.N.BitLen() != 2048 || public.E != 65537 {
			return nil, fmt.Errorf("%w: RSA of %d bits", ErrKey, public.N.BitLen())
		}
		k.template, k.public = RSA2048, tpm2.RSAEKTemplate
		k.public.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgRSA, &tpm2.TPM2BPublicKeyRSA{Buffer: public.N.FillBytes(make([]byte, 256))})
		return k, nil
	case *ecdsa.PublicKey:
		switch public.Curve {
		case elliptic.P256():
			k.template, k.public = P256, tpm2.ECCEKTemplate
		case elliptic.P384():
			k.template, k.public = P384, p384Template()
		default:
			return nil, fmt.Errorf("%w: curve %s", ErrKey, public.Curve.Params().Name)
		}
		point, err := public.Bytes()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrKey, err)
		}
		half := (len(point) - 1) / 2 // after SEC 1's leading 4
		k.public.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{
			X: tpm2.TPM2BECCParameter{Buffer: point[1 : 1+half]},
			Y: tpm2.TPM2BECCParameter{Buffer: point[1+half:]},
		})
		return k, nil
	default:
		return nil, fmt.Errorf("%w: %T", ErrKey, public)
	}
}

// Unendorsed rebuilds an EK from a SubjectPublicKeyInfo that nobody vouches
// for: the device proves that its AK lives beside it, and no more.
func Unendorsed(spki []byte) (*Key, error) {
	public, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return Rebuild(public)
}

// p384Template is template H-3: P-384, SHA-384, AES-256 and policy B (EK
// Credential Profile, B.4.5).
func p384Template() tpm2.TPMTPublic {
	return tpm2.TPMTPublic{
		Type:    tpm2.TPMAlgECC,
		NameAlg: tpm2.TPMAlgSHA384,
		ObjectAttributes: tpm2.TPMAObject{
			FixedTPM: true, FixedParent: true, SensitiveDataOrigin: true, UserWithAuth: true,
			AdminWithPolicy: true, Restricted: true, Decrypt: true,
		},
		AuthPolicy: tpm2.TPM2BDigest{Buffer: []byte{
			0xb2, 0x6e, 0x7d, 0x28, 0xd1, 0x1a, 0x50, 0xbc, 0x53, 0xd8, 0x82, 0xbc,
			0xf5, 0xfd, 0x3a, 0x1a, 0x07, 0x41, 0x48, 0xbb, 0x35, 0xd3, 0xb4, 0xe4,
			0xcb, 0x1c, 0x0a, 0xd9, 0xbd, 0xe4, 0x19, 0xca, 0xcb, 0x47, 0xba, 0x09,
			0x69, 0x96, 0x46, 0x15, 0x0f, 0x9f, 0xc0, 0x00, 0xf3, 0xf8, 0x0e, 0x12,
		}},
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{
			Symmetric: tpm2.TPMTSymDefObject{
				Algorithm: tpm2.TPMAlgAES,
				KeyBits:   tpm2.NewTPMUSymKeyBits(tpm2.TPMAlgAES, tpm2.TPMKeyBits(256)),
				Mode:      tpm2.NewTPMUSymMode(tpm2.TPMAlgAES, tpm2.TPMAlgCFB),
			},
			CurveID: tpm2.TPMECCNistP384,
		}),
	}
}

// Template names the standard template that fits the EK.
func (k *Key) Template() string { return k.template }

// Digest is SHA-256 over the EK's SubjectPublicKeyInfo, encoded here: one EK
// has one digest, however its key was sent.
func (k *Key) Digest() [sha256.Size]byte { return k.digest }

// Name is the EK's TPM Name.
func (k *Key) Name() ([]byte, error) {
	name, err := tpm2.ObjectName(&k.public)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return name.Buffer, nil
}

// QualifiedName computes the Qualified Name of ak (TPMT_PUBLIC) as a child of
// this EK in the endorsement hierarchy (TPM 2.0 part 1, 16.5): each step hashes
// the parent's Qualified Name with the child's Name, by the child's hash.
func (k *Key) QualifiedName(ak []byte) ([]byte, error) {
	akName, err := CheckAK(ak)
	if err != nil {
		return nil, err
	}
	name, err := k.Name()
	if err != nil {
		return nil, err
	}
	hierarchy := binary.BigEndian.AppendUint32(nil, uint32(tpm2.TPMRHEndorsement))
	qualified, err := qualify(hierarchy, name)
	if err != nil {
		return nil, err
	}
	return qualify(qualified, akName)
}

func qualify(parent, name []byte) ([]byte, error) {
	alg := name[:2] // a Name begins with its hash algorithm
	hash, err := tpm2.TPMIAlgHash(binary.BigEndian.Uint16(alg)).Hash()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	h := hash.New()
	h.Write(parent)
	h.Write(name)
	return h.Sum(bytes.Clone(alg)), nil
}

// Challenge wraps secret so that only a TPM that holds this EK and, beside it,
// this very ak can release it (TPM2_MakeCredential, part 1, 24). It returns the
// contents of a TPM2B_ID_OBJECT and of a TPM2B_ENCRYPTED_SECRET.
func (k *Key) Challenge(ak, secret []byte, random io.Reader) (blob, encryptedSecret []byte, err error) {
	akName, err := CheckAK(ak)
	if err != nil {
		return nil, nil, err
	}
	if len(secret) != sha256.Size {
		return nil, nil, fmt.Errorf("endorsement: the secret must have %d bytes", sha256.Size)
	}
	encapsulation, err := tpm2.ImportEncapsulationKey(&k.public)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	blob, encryptedSecret, err = tpm2.CreateCredential(whole{random}, encapsulation, akName, secret)
	if err != nil {
		return nil, nil, fmt.Errorf("endorsement: making the challenge: %w", err)
	}
	return blob, encryptedSecret, nil
}

// whole is a reader that gives all that is asked for, or an error.
type whole struct{ io.Reader }

func (w whole) Read(p []byte) (int, error) { return io.ReadFull(w.Reader, p) }
