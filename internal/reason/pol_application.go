package reason

// Area POL, 090–109: questions of applications, and what their own policies
// found.
const (
	AppNoPermit   = "ZT-POL-090"
	AppForbidden  = "ZT-POL-091"
	AppFailed     = "ZT-POL-092"
	AppUnknown    = "ZT-POL-093"
	AppClaim      = "ZT-POL-094"
	AppNone       = "ZT-POL-095"
	AppBroken     = "ZT-POL-096"
	AppSession    = "ZT-POL-097"
	AppIncomplete = "ZT-POL-098"

	AuthzenRequest = "ZT-POL-100"
	AuthzenPage    = "ZT-POL-101"
	AuthzenTenant  = "ZT-POL-102"
	AuthzenHost    = "ZT-POL-103"
	AuthzenBusy    = "ZT-POL-104"
)
