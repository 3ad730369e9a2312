package reason

// Area CFG, 040–059: reference values.
const (
	RefMalformed    = "ZT-CFG-040"
	RefSignature    = "ZT-CFG-041"
	RefVersionFell  = "ZT-CFG-042"
	RefForeign      = "ZT-CFG-043"
	RefState        = "ZT-CFG-044"
	RefNothingSeen  = "ZT-CFG-045"
	RefSameApprover = "ZT-CFG-046"
	RefSignerInUse  = "ZT-CFG-047"
	RefSignerKey    = "ZT-CFG-048"
	RefID           = "ZT-CFG-049"
	RefNoSecureBoot = "ZT-CFG-050"
	RefOnlyHere     = "ZT-CFG-051"
	RefTooMany      = "ZT-CFG-053"
	RefOtherIssuer  = "ZT-CFG-054"
)
