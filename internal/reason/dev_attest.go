package reason

// Area DEV, 150–179: continuous attestation, and what Linux measures as it runs.
const (
	ClaimsNotKept   = "ZT-DEV-150"
	EventLogNotKept = "ZT-DEV-151"

	// Tampering: a person sees the code alone.
	SecureBootDenied = "ZT-DEV-152"

	IMAUnexplained          = "ZT-DEV-153"
	IMAMalformed            = "ZT-DEV-154"
	IMAPending              = "ZT-DEV-155"
	IMAUnlisted             = "ZT-DEV-156"
	IMAChanged              = "ZT-DEV-157"
	IMAUnmeasured           = "ZT-DEV-158"
	IMAAggregate            = "ZT-DEV-159"
	IMAAggregateUnsupported = "ZT-DEV-160"
)
