package tpm

import (
	"github.com/google/go-tpm/tpm2"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Activate answers the PDP's credential challenge (TPM2_ActivateCredential): it
// proves that the AK lives beside the certified EK, in one TPM.
func (k *Keys) Activate(credentialBlob, encryptedSecret []byte) ([]byte, error) {
	var secret []byte
	err := k.tpm.use(k.kind, func(handles []tpm2.AuthHandle) error {
		ek, err := k.tpm.openEK(k.kind)
		if err != nil {
			return err
		}
		defer ek.release()
		answer, err := tpm2.ActivateCredential{
			ActivateHandle: handles[0],
			KeyHandle:      ek.auth(),
			CredentialBlob: tpm2.TPM2BIDObject{Buffer: credentialBlob},
			Secret:         tpm2.TPM2BEncryptedSecret{Buffer: encryptedSecret},
		}.Execute(k.tpm.connection)
		if err != nil {
			return explain("activating the credential", err)
		}
		secret = answer.CertInfo.Buffer
		return nil
	}, k.ak)
	return secret, err
}

// Purposes of the certified keys, as wire.CertifyBinding names them.
const (
	PurposeTLS     = "tls"
	PurposeSigning = "signing"
)

// CertifyTLSKey has the AK certify the TLS key for the PDP's nonce
// (TPM2_Certify).
func (k *Keys) CertifyTLSKey(nonce [wire.NonceSize]byte) (wire.CertifiedKey, error) {
	return k.certify(k.tls, PurposeTLS, nonce)
}

// CertifySigningKey is CertifyTLSKey for the signing key.
func (k *Keys) CertifySigningKey(nonce [wire.NonceSize]byte) (wire.CertifiedKey, error) {
	return k.certify(k.signing, PurposeSigning, nonce)
}

func (k *Keys) certify(subject *key, purpose string, nonce [wire.NonceSize]byte) (wire.CertifiedKey, error) {
	binding := wire.CertifyBinding(purpose, nonce, k.tlsSPKI)
	certified := wire.CertifiedKey{Public: append([]byte(nil), subject.raw...)}
	err := k.tpm.use(k.kind, func(handles []tpm2.AuthHandle) error {
		answer, err := tpm2.Certify{
			ObjectHandle:   handles[0],
			SignHandle:     handles[1],
			QualifyingData: tpm2.TPM2BData{Buffer: binding[:]},
			InScheme:       tpm2.TPMTSigScheme{Scheme: tpm2.TPMAlgNull},
		}.Execute(k.tpm.connection)
		if err != nil {
			return explain("certifying the "+purpose+" key", err)
		}
		certified.Attest = answer.CertifyInfo.Bytes()
		certified.Signature = tpm2.Marshal(answer.Signature)
		return nil
	}, subject, k.ak)
	if err != nil {
		return wire.CertifiedKey{}, err
	}
	return certified, nil
}
