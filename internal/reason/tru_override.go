package reason

// Area TRU, 050–069: what officers say about trust.
const TrustLatched = "ZT-TRU-050"

// Area CFG, 175–184: officers' overrides, what is tried, feedback.
const (
	OverrideSubject   = "ZT-CFG-175"
	OverrideReason    = "ZT-CFG-176"
	OverrideLatchEnds = "ZT-CFG-177"
	OverrideKind      = "ZT-CFG-178"
	OverrideLife      = "ZT-CFG-179"
	OverrideCodes     = "ZT-CFG-180"
	OverrideTooMany   = "ZT-CFG-181"
	FeedbackNotHeld   = "ZT-CFG-182"
	WeightsUnread     = "ZT-CFG-183"
	TrialNothing      = "ZT-CFG-184"
)
