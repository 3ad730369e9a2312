package endorsement

import "errors"

// Errors, one for each thing that is judged.
var (
	// ErrCertificate says that the EK certificate cannot be read.
	ErrCertificate = errors.New("endorsement: malformed EK certificate")
	// ErrAuthority says that a CA certificate, a root store or a time that the
	// judgement needs is missing or unusable.
	ErrAuthority = errors.New("endorsement: no usable endorsement CA")
	// ErrChain says that no trusted maker vouches for the certificate.
	ErrChain = errors.New("endorsement: the EK certificate's chain is not trusted")
	// ErrValidity says that a certificate of the chain is not valid at that time.
	ErrValidity = errors.New("endorsement: a certificate of the chain is not valid now")
	// ErrPurpose says that the certificate is not for an EK.
	ErrPurpose = errors.New("endorsement: not an EK certificate")
	// ErrKey says that no standard template fits the EK.
	ErrKey = errors.New("endorsement: EK of an unsupported kind")
	// ErrAK says that the attestation key could sign what a TPM did not make,
	// or is not of the accepted kind.
	ErrAK = errors.New("endorsement: attestation key refused")
	// ErrDeviceKey says the same of a TLS or signing key.
	ErrDeviceKey = errors.New("endorsement: device key refused")
)
