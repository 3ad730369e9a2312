package reason

// Area DEV, 300–349: configuration baselines (GCB).
const (
	BaselineNone       = "ZT-DEV-300"
	BaselineMissing    = "ZT-DEV-301"
	BaselineVersion    = "ZT-DEV-302"
	BaselineRuleSet    = "ZT-DEV-303"
	BaselineMalformed  = "ZT-DEV-304"
	BaselineIncomplete = "ZT-DEV-305"
	BaselineFailing    = "ZT-DEV-306"
	BaselineUnmeasured = "ZT-DEV-307"
)
