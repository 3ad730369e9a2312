package reason

// Area POL, 060–079: when something is changed, and what others report.
const (
	ChangeNeedsTouch     = "ZT-POL-060"
	ChangeOutsideHours   = "ZT-POL-061"
	DeviceRiskHigh       = "ZT-POL-062"
	DeviceRiskMedium     = "ZT-POL-063"
	PersonRiskHigh       = "ZT-POL-064"
	PersonRiskReadOnly   = "ZT-POL-065"
	PersonRiskForChanges = "ZT-POL-066"
)
