package reason

// Area TRU, 160–169: failed sign-ins. The plugin failedsignins writes the codes
// as text.
const (
	FailuresNone      = "ZT-TRU-160"
	FailuresOfAccount = "ZT-TRU-161"
	FailuresOfNetwork = "ZT-TRU-162"
	FailuresNoHistory = "ZT-TRU-163"
)
