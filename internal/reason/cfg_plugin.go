package reason

// Area CFG, 165–174: the inference plugins' registration.
const (
	CfgPluginsUnread  = "ZT-CFG-165"
	CfgPluginsRestart = "ZT-CFG-166"
	CfgPluginStays    = "ZT-CFG-167"
)
