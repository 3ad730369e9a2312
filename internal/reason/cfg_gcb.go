package reason

// Area CFG, 080–089: exceptions that an agency gives.
const (
	ExceptionSubject = "ZT-CFG-080"
	ExceptionReason  = "ZT-CFG-081"
	ExceptionLife    = "ZT-CFG-082"
	ExceptionTooMany = "ZT-CFG-083"
	ExceptionDevice  = "ZT-CFG-084"
)
