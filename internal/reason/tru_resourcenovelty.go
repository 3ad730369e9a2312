package reason

// Area TRU, 150–159: which portals are used, and how. The plugin resourcenovelty
// writes the codes as text.
const (
	ResourceUsual     = "ZT-TRU-150"
	ResourceOfPeers   = "ZT-TRU-151"
	ResourceNew       = "ZT-TRU-152"
	ResourceGrade     = "ZT-TRU-153"
	ResourceNoHistory = "ZT-TRU-154"
	ResourceNoPortal  = "ZT-TRU-155"
)
