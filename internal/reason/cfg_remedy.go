package reason

// Area CFG, 100–109: remedies that an administrator asks a device for.
const (
	CfgNoRemedy    = "ZT-CFG-100"
	CfgRemedyBusy  = "ZT-CFG-101"
	CfgRemedyState = "ZT-CFG-102"
)
