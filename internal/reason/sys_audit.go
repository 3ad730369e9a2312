package reason

// Area SYS, 020–099: the PDP's store and audit log.
const (
	ClockBehind  = "ZT-SYS-020"
	AuditBroken  = "ZT-SYS-021"
	AuditLocked  = "ZT-SYS-022"
	StoreDamaged = "ZT-SYS-023"
	StoreLocked  = "ZT-SYS-024"
	StoreStopped = "ZT-SYS-025"
)
