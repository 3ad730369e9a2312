package reason

// Area TRU, 170–179: changes of a device's health. The plugin posturedrift
// writes the codes as text.
const (
	PostureUsual     = "ZT-TRU-170"
	PostureDrift     = "ZT-TRU-171"
	PostureFlapping  = "ZT-TRU-172"
	PostureNoHistory = "ZT-TRU-173"
	PostureNone      = "ZT-TRU-174"
)
