package reason

// Area DEV, 150–179: continuous attestation, and what Linux measures as it runs.
const (
	ClaimsNotKept   = "ZT-DEV-150"
	EventLogNotKept = "ZT-DEV-151"

	// Tampering: a person sees the code alone.
	SecureBootDenied = "ZT-DEV-152"
)
