package tpm

import "github.com/google/go-tpm/tpm2"

// Names of the EK templates, as enrolment says them (wire.EnrolChallenge).
const (
	EKRSA2048 = "rsa-2048"
	EKP256    = "p-256"
	EKP384    = "p-384"
)

// ekKind is one standard EK (TCG EK Credential Profile 2.5, 2.2.1.4 and B).
type ekKind struct {
	name        string
	certificate tpm2.TPMHandle // NV index
	persistent  tpm2.TPMHandle // where makers and systems like to keep the EK
	template    tpm2.TPMTPublic
}

// ekKinds lists the EKs by preference: an ECC EK takes a TPM milliseconds to
// make again, an RSA one many seconds.
func ekKinds() []ekKind {
	return []ekKind{
		{EKP256, 0x01c0000a, 0x81010002, tpm2.ECCEKTemplate},
		{EKP384, 0x01c00016, 0x81010016, eccP384EKTemplate()},
		{EKRSA2048, 0x01c00002, 0x81010001, tpm2.RSAEKTemplate},
	}
}

func ekKindNamed(name string) (ekKind, bool) {
	for _, kind := range ekKinds() {
		if kind.name == name {
			return kind, true
		}
	}
	return ekKind{}, false
}

// eccP384EKTemplate is template H-3: P-384, SHA-384, AES-256, policy B (the
// endorsement hierarchy's secret, or an NV index's policy), and usable with the
// EK's own, empty authorization value.
func eccP384EKTemplate() tpm2.TPMTPublic {
	return tpm2.TPMTPublic{
		Type:    tpm2.TPMAlgECC,
		NameAlg: tpm2.TPMAlgSHA384,
		ObjectAttributes: tpm2.TPMAObject{
			FixedTPM:            true,
			FixedParent:         true,
			SensitiveDataOrigin: true,
			UserWithAuth:        true,
			AdminWithPolicy:     true,
			Restricted:          true,
			Decrypt:             true,
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
		Unique: tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{}),
	}
}

// signingTemplate is a P-256 key that signs with ECDSA and SHA-256, made by
// this TPM and bound to it. A restricted one signs nothing but what the TPM
// itself made. noDA: a 256-bit random value needs no dictionary-attack lockout,
// which others' mistakes could trigger.
func signingTemplate(restricted bool) tpm2.TPMTPublic {
	return tpm2.TPMTPublic{
		Type:    tpm2.TPMAlgECC,
		NameAlg: tpm2.TPMAlgSHA256,
		ObjectAttributes: tpm2.TPMAObject{
			FixedTPM:            true,
			FixedParent:         true,
			SensitiveDataOrigin: true,
			UserWithAuth:        true,
			NoDA:                true,
			Restricted:          restricted,
			SignEncrypt:         true,
		},
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{
			Scheme: tpm2.TPMTECCScheme{
				Scheme:  tpm2.TPMAlgECDSA,
				Details: tpm2.NewTPMUAsymScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSigSchemeECDSA{HashAlg: tpm2.TPMAlgSHA256}),
			},
			CurveID: tpm2.TPMECCNistP256,
		}),
		Unique: tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{}),
	}
}
