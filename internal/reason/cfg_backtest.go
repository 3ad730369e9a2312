package reason

// Area CFG, 185–194: replaying the past through the plugins.
const (
	BacktestPlugin   = "ZT-CFG-185"
	BacktestNoPlugin = "ZT-CFG-186"
	BacktestRead     = "ZT-CFG-187"
	BacktestEmpty    = "ZT-CFG-188"
	BacktestNumbers  = "ZT-CFG-189"
	BacktestWeights  = "ZT-CFG-190"
	BacktestSettings = "ZT-CFG-191"
	BacktestWrite    = "ZT-CFG-192"
	BacktestNoFit    = "ZT-CFG-193"
)
