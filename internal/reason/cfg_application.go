package reason

// Area CFG, 140–149: applications' own schemas, entities and policies.
const (
	CfgApplication      = "ZT-CFG-140"
	CfgApplicationLarge = "ZT-CFG-141"
)
