package reason

// Area CFG, 160–164: writing a new inference plugin.
const (
	PluginNewName     = "ZT-CFG-160"
	PluginNewLanguage = "ZT-CFG-161"
	PluginNewFolder   = "ZT-CFG-162"
	PluginNewSource   = "ZT-CFG-163"
)
