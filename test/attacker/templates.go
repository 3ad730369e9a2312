package attacker

import (
	"github.com/google/go-tpm/tpm2"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Template is that of an honest key: restricted for an AK, not for others.
func Template(restricted bool) tpm2.TPMTPublic {
	return tpm2.TPMTPublic{
		Type: tpm2.TPMAlgECC, NameAlg: tpm2.TPMAlgSHA256,
		ObjectAttributes: tpm2.TPMAObject{
			FixedTPM: true, FixedParent: true, SensitiveDataOrigin: true, UserWithAuth: true, NoDA: true,
			Restricted: restricted, SignEncrypt: true,
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

// Under is a storage primary of a hierarchy, for keys that an honest agent has
// under the EK.
func Under(hierarchy tpm2.TPMHandle) *tpm2.CreatePrimary {
	return &tpm2.CreatePrimary{
		PrimaryHandle: handle{Handle: hierarchy, Auth: tpm2.PasswordAuth(nil)},
		InPublic:      tpm2.New2B(tpm2.ECCSRKTemplate),
	}
}

// Selection selects PCRs of one bank.
func Selection(bank tpm2.TPMAlgID, pcrs ...uint) tpm2.TPMLPCRSelection {
	return tpm2.TPMLPCRSelection{PCRSelections: []tpm2.TPMSPCRSelection{{Hash: bank, PCRSelect: tpm2.PCClientCompatible.PCRs(pcrs...)}}}
}

// Quoted are the PCRs that an honest quote covers.
func Quoted() []uint {
	var all []uint
	for _, index := range wire.QuotedPCRs {
		all = append(all, uint(index))
	}
	return all
}
