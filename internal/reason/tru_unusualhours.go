package reason

// Area TRU, 130–139: hours of sign-in. The plugin unusualhours writes the codes
// as text.
const (
	HourUsual     = "ZT-TRU-130"
	HourUnusual   = "ZT-TRU-131"
	HourRestDay   = "ZT-TRU-132"
	HourZone      = "ZT-TRU-133"
	HourNoHistory = "ZT-TRU-134"
)
