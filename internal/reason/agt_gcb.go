package reason

// Area AGT, 160–179: the rules of configuration baselines on a device.
const (
	BaselineRules       = "ZT-AGT-160"
	BaselineExposed     = "ZT-AGT-161"
	BaselineTaken       = "ZT-AGT-162"
	BaselineNoneApplies = "ZT-AGT-163"
)
