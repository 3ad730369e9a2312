package agent

import (
	"crypto/sha256"
	"slices"

	"github.com/menshen-zt/menshen/agent/tpm"
)

// EndorsementKey is an EK that this machine can enrol with.
type EndorsementKey struct {
	Template string
	// Certified says that the TPM's maker left a certificate.
	Certified bool
	// Digest is SHA-256 over the EK's SubjectPublicKeyInfo.
	Digest [sha256.Size]byte
}

// EndorsementKeys lists the EKs that the TPM can make, in the order in which
// enrolment prefers them among its kind; enrolment takes one with a certificate
// before one without. It fails only if there is none.
func EndorsementKeys(c Config) (keys []EndorsementKey, err error) {
	t, err := tpm.Open(c.TPM)
	if err != nil {
		return nil, err
	}
	defer func() { _ = t.Close() }()
	certificates, err := t.EKCertificates()
	if err != nil {
		return nil, err
	}
	var failed error
	for _, template := range []string{tpm.EKP256, tpm.EKP384, tpm.EKRSA2048} {
		_, spki, err := t.EKPublic(template)
		if err != nil {
			failed = err // a TPM need not know every curve
			continue
		}
		certified := slices.ContainsFunc(certificates, func(c tpm.EKCertificate) bool { return c.Template == template })
		keys = append(keys, EndorsementKey{Template: template, Certified: certified, Digest: sha256.Sum256(spki)})
	}
	if len(keys) == 0 {
		return nil, failed
	}
	return keys, nil
}
