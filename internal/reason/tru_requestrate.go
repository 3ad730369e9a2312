package reason

// Area TRU, 140–149: how fast a session asks. The plugin requestrate writes the
// codes as text.
const (
	RateUsual     = "ZT-TRU-140"
	RateFast      = "ZT-TRU-141"
	RateNoHistory = "ZT-TRU-142"
)
