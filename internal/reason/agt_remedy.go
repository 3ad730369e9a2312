package reason

// Area AGT, 080–119: remedies that the agent applies on the laptop.
const (
	RemedyOff        = "ZT-AGT-080"
	RemedyNotAllowed = "ZT-AGT-081"
	RemedyNothing    = "ZT-AGT-082"
	RemedyFailed     = "ZT-AGT-083"
	RemedyUnknown    = "ZT-AGT-084"
	RemedyNeedsRoot  = "ZT-AGT-085"
	RemedyConfig     = "ZT-AGT-086"
	RemedyNotAsked   = "ZT-AGT-087"
	RemedyReportBad  = "ZT-AGT-088"
	RemedyNoAnswer   = "ZT-AGT-089"
	RemedyGone       = "ZT-AGT-090"
)
