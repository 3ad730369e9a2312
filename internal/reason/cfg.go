package reason

// Area CFG: what administrators set, and the command line that they use.
const (
	CfgAgencyID     = "ZT-CFG-010"
	CfgName         = "ZT-CFG-011"
	CfgAccount      = "ZT-CFG-012"
	CfgGroups       = "ZT-CFG-013"
	CfgOrigin       = "ZT-CFG-014"
	CfgSensitivity  = "ZT-CFG-015"
	CfgDeviceName   = "ZT-CFG-016"
	CfgValue        = "ZT-CFG-017"
	CfgTooManyKeys  = "ZT-CFG-018"
	CfgLife         = "ZT-CFG-019"
	CfgNotFound     = "ZT-CFG-020"
	CfgExists       = "ZT-CFG-021"
	CfgState        = "ZT-CFG-022"
	CfgNotPermitted = "ZT-CFG-023"

	CfgNoSocket      = "ZT-CFG-030"
	CfgNoSocketHere  = "ZT-CFG-031"
	CfgSocketDenied  = "ZT-CFG-032"
	CfgStrangeAnswer = "ZT-CFG-033"
	CfgUsage         = "ZT-CFG-034"
	CfgAuditUnread   = "ZT-CFG-036"
	CfgPolicy        = "ZT-CFG-037"
)
