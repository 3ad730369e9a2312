package reason

// Area DEV, 100–119: what a firmware's event log shows.
const (
	EventLogAbsent   = "ZT-DEV-100"
	EventLogTooLarge = "ZT-DEV-101"
	EventLogNoBank   = "ZT-DEV-102"

	// Tampering: a person sees the code alone.
	EventLogMalformed  = "ZT-DEV-103"
	EventLogMismatch   = "ZT-DEV-104"
	EventLogUnextended = "ZT-DEV-105"
	EventLogUnlogged   = "ZT-DEV-106"
	EventLogLocality   = "ZT-DEV-107"
	EventLogTwice      = "ZT-DEV-108"
	EventLogPlace      = "ZT-DEV-109"
	EventLogDigest     = "ZT-DEV-110"
	EventLogContent    = "ZT-DEV-111"
	EventLogSecureBoot = "ZT-DEV-112"

	EventLogSeparatorMissing = "ZT-DEV-113"
	EventLogFirmwareError    = "ZT-DEV-114"
	EventLogUnknown          = "ZT-DEV-115"
	EventLogEarlyApplication = "ZT-DEV-116"
	EventLogDebugger         = "ZT-DEV-117"
	EventLogDMA              = "ZT-DEV-118"
	EventLogShimUnenforced   = "ZT-DEV-119"
)
