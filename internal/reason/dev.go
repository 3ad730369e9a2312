package reason

// Area DEV, 001–099: what appraisal finds in a device's Evidence.
const (
	OSUnsupported = "ZT-DEV-010"
	OSUnmeasured  = "ZT-DEV-011"
	OSMissing     = "ZT-DEV-012"

	DiskNotEncrypted = "ZT-DEV-014"
	DiskUnmeasured   = "ZT-DEV-015"
	DiskMissing      = "ZT-DEV-016"

	FirewallOff        = "ZT-DEV-018"
	FirewallUnmeasured = "ZT-DEV-019"
	FirewallMissing    = "ZT-DEV-020"

	SecureBootOff        = "ZT-DEV-022"
	SecureBootUnmeasured = "ZT-DEV-023"
	SecureBootMissing    = "ZT-DEV-024"

	ClaimsUnreadable = "ZT-DEV-026"
	ClaimUnknown     = "ZT-DEV-027"

	EvidenceStale         = "ZT-DEV-031"
	EvidenceUnpinned      = "ZT-DEV-032"
	ProvenanceUnsupported = "ZT-DEV-033"

	// Tampering: a person sees the code alone.
	EvidenceMalformed = "ZT-DEV-040"
	EvidenceAlgorithm = "ZT-DEV-041"
	EvidenceSignature = "ZT-DEV-042"
	EvidenceType      = "ZT-DEV-043"
	EvidenceBinding   = "ZT-DEV-044"
	EvidenceSigner    = "ZT-DEV-045"
	EvidenceSelection = "ZT-DEV-046"
	EvidencePCRs      = "ZT-DEV-047"
	ClaimTwice        = "ZT-DEV-048"

	ResetCountFell   = "ZT-DEV-050"
	RestartCountFell = "ZT-DEV-051"
	ClockFell        = "ZT-DEV-052"
	FirmwareFell     = "ZT-DEV-053"
)
