package reason

// Area SYS: the PDP itself.
const (
	Unknown      = "ZT-SYS-000"
	Internal     = "ZT-SYS-001"
	Unavailable  = "ZT-SYS-002"
	AuditClosed  = "ZT-SYS-003"
	BadRequest   = "ZT-SYS-010"
	TooLarge     = "ZT-SYS-011"
	WrongType    = "ZT-SYS-012"
	NotFound     = "ZT-SYS-013"
	WrongMethod  = "ZT-SYS-014"
	Unauthorized = "ZT-SYS-015"
	TooMany      = "ZT-SYS-016"
	Conflict     = "ZT-SYS-017"
)
