package reason

// Area SES, 050–069: what a request asks for, and by what it is presented.
const (
	AddressUnreadable = "ZT-SES-050"
	ConnectionsBusy   = "ZT-SES-051"
	TokenRefused      = "ZT-SES-052"
	TokenBound        = "ZT-SES-053"
	TokenBesideOthers = "ZT-SES-054"
)

// Area CFG, 135–139: how a portal's requests are judged.
const (
	CfgRoutes    = "ZT-CFG-135"
	CfgTokenFrom = "ZT-CFG-136"
)
