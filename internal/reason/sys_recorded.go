package reason

// Area SYS, 030–039: what decisions were computed from, and computing them again.
const (
	InputsUnsealed = "ZT-SYS-030"
	InputsErased   = "ZT-SYS-031"
	InputsMissing  = "ZT-SYS-032"
	InputsForged   = "ZT-SYS-033"
	PolicyGone     = "ZT-SYS-034"
	ReplayDiffers  = "ZT-SYS-035"
	InputsTooLarge = "ZT-SYS-036"
	RulesGone      = "ZT-SYS-037"
)
