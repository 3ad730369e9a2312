package reason

// Area DEV, 120–149: what a boot shows when it is held against reference values.
const (
	BootUnreferenced    = "ZT-DEV-120"
	BootNoLog           = "ZT-DEV-121"
	BootUnknownValue    = "ZT-DEV-122"
	BootSecureBootOff   = "ZT-DEV-123"
	BootKeysChanged     = "ZT-DEV-124"
	BootRolledBack      = "ZT-DEV-125"
	BootRevocationsLost = "ZT-DEV-126"
	BootUnknownUpdate   = "ZT-DEV-127"
	BootEventMissing    = "ZT-DEV-128"
	BootUnknownEvents   = "ZT-DEV-129"
	BootMoreEvents      = "ZT-DEV-130"
)
