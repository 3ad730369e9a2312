package reason

// Area DEV, 200–299: enrolment and the agents' port.
const (
	EnrolCodeUnknown   = "ZT-DEV-201"
	EnrolCodeForeign   = "ZT-DEV-202"
	EnrolCodeExpired   = "ZT-DEV-203"
	EnrolCodeBound     = "ZT-DEV-204"
	EnrolEKTaken       = "ZT-DEV-205"
	EnrolEKRefused     = "ZT-DEV-206"
	EnrolAKRefused     = "ZT-DEV-207"
	EnrolActivation    = "ZT-DEV-208"
	EnrolTLSKey        = "ZT-DEV-209"
	EnrolSigningKey    = "ZT-DEV-210"
	EnrolTicket        = "ZT-DEV-211"
	EnrolTicketExpired = "ZT-DEV-212"
	EnrolChannel       = "ZT-DEV-213"
	EnrolNameTaken     = "ZT-DEV-214"
	EnrolMalformed     = "ZT-DEV-215"

	DeviceUnknown = "ZT-DEV-220"
	DeviceWaiting = "ZT-DEV-221"
	DeviceRetired = "ZT-DEV-222"

	NonceForged  = "ZT-DEV-230"
	NonceExpired = "ZT-DEV-231"
	NonceDevice  = "ZT-DEV-232"
	NonceChannel = "ZT-DEV-233"
	NonceSpent   = "ZT-DEV-234"
)
