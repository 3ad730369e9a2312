package reason

// Area DEV, 150–179: continuous attestation, and what Linux measures as it runs.
const (
	ClaimsNotKept = "ZT-DEV-150"
)
