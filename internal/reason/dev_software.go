package reason

// Area DEV, 350–399: the software on a device and its vulnerabilities.
const (
	ExploitedVulnerability = "ZT-DEV-350"
	VulnerabilitiesUnknown = "ZT-DEV-351"
	InventoryMissing       = "ZT-DEV-352"
	InventoryMalformed     = "ZT-DEV-353"
)
