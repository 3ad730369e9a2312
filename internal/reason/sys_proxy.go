package reason

// Area SYS, 050–059: what proxies hand on.
const (
	HostNotPortal = "ZT-SYS-050"
)
