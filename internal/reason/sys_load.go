package reason

// Area SYS, 070–079: too much at once.
const (
	Overloaded = "ZT-SYS-070"
)
