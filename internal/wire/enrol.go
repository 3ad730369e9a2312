package wire

// The messages of enrolment on the agents' port (design: protocols, Enrol). The
// agent's TLS certificate is self-signed by the TLS key that it enrols.

// Bounds of what a device sends of its EK's chain.
const (
	MaxEKCertificateBytes   = 8 << 10
	MaxEKIntermediates      = 8
	MaxEKIntermediatesBytes = 16 << 10 // in all
)

// EnrolStart opens an enrolment: POST /v1/enrol/start.
type EnrolStart struct {
	Code string `json:"code"`
	// EKCertificate is DER, as read from NV; empty where there is none.
	EKCertificate []byte `json:"ek_certificate"`
	// EKIntermediates are CA certificates in DER that the TPM carries beside
	// its EK's; they complete a chain and are trusted for nothing.
	EKIntermediates [][]byte `json:"ek_intermediates,omitempty"`
	// EKKey is the EK's SubjectPublicKeyInfo in DER, only where there is no
	// certificate: the device then proves that its AK lives beside this EK,
	// and waits for an administrator who knows the EK.
	EKKey []byte `json:"ek_key,omitempty"`
	// AK is the attestation key's TPMT_PUBLIC.
	AK []byte `json:"ak"`
	// SoftwareKey stands for EK and AK where a machine has no TPM: the
	// SubjectPublicKeyInfo of its attestation key, which is P-256.
	SoftwareKey []byte `json:"software_key,omitempty"`
	Hostname    string `json:"hostname"`
	OS          string `json:"os"` // runtime.GOOS
}

// EnrolChallenge answers EnrolStart.
type EnrolChallenge struct {
	// Enrolment is sealed by the PDP and comes back unchanged in EnrolFinish.
	Enrolment string `json:"enrolment"`
	// EK is the standard template that the PDP rebuilt the EK with:
	// "rsa-2048", "p-256" or "p-384".
	EK string `json:"ek"`
	// CredentialBlob is a TPM2B_ID_OBJECT's contents, EncryptedSecret a
	// TPM2B_ENCRYPTED_SECRET's contents (TPM 2.0 part 1, 24).
	CredentialBlob  []byte `json:"credential_blob"`
	EncryptedSecret []byte `json:"encrypted_secret"`
	CertifyNonce    []byte `json:"certify_nonce"` // 32 bytes
}

// SoftwareTemplate stands for the EK's template where there is no TPM. The
// agent then proves possession of its attestation key: EnrolFinish.Secret is
// that key's signature over SoftwareCertifyBinding of itself, and so are the
// Signatures of the CertifiedKeys, whose Public is a SubjectPublicKeyInfo.
const SoftwareTemplate = "software"

// CertifiedKey is a key with the AK's TPM2_Certify over it.
type CertifiedKey struct {
	Public    []byte `json:"public"`    // TPMT_PUBLIC
	Attest    []byte `json:"attest"`    // TPMS_ATTEST
	Signature []byte `json:"signature"` // TPMT_SIGNATURE
}

// EnrolFinish closes an enrolment: POST /v1/enrol/finish.
type EnrolFinish struct {
	Enrolment  string       `json:"enrolment"`
	Secret     []byte       `json:"secret"` // what TPM2_ActivateCredential released
	TLSKey     CertifiedKey `json:"tls_key"`
	SigningKey CertifiedKey `json:"signing_key"`
}

// Enrolled answers EnrolFinish.
type Enrolled struct {
	DeviceID   string     `json:"device_id"`
	DeviceName string     `json:"device_name"`
	Agency     string     `json:"agency"`
	Provenance Provenance `json:"provenance"`
	// WebOrigin is the only origin whose pages the agent's loopback listener
	// answers.
	WebOrigin string `json:"web_origin"`
}
