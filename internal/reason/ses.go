package reason

// Area SES: portal sessions and the way into them.
const (
	SessionNone         = "ZT-SES-001"
	SessionIdle         = "ZT-SES-002"
	SessionTooOld       = "ZT-SES-003"
	NetworkUnproven     = "ZT-SES-004"
	DeviceReconfirm     = "ZT-SES-005"
	FreshKeyNeeded      = "ZT-SES-006"
	FormNotSent         = "ZT-SES-007"
	ReadOnlySession     = "ZT-SES-008"
	LoginRefused        = "ZT-SES-010"
	LoginOtherBrowser   = "ZT-SES-011"
	LoginNetworkMoved   = "ZT-SES-012"
	ProxyUnknown        = "ZT-SES-020"
	ProxyMalformed      = "ZT-SES-021"
	CrossSite           = "ZT-SES-022"
	CheckTooSoon        = "ZT-SES-030"
	CheckUnknown        = "ZT-SES-031"
	SignedOut           = "ZT-SES-040"
	SessionEndNotStored = "ZT-SES-041"
)
