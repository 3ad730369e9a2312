package reason

// Area SYS, 060–069: whether the PDP is ready for requests.
const (
	ServiceNotRunning = "ZT-SYS-060"
	StoreStale        = "ZT-SYS-061"
	AuditNotDurable   = "ZT-SYS-062"
	KeysMissing       = "ZT-SYS-063"
)
