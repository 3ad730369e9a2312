package reason

// Area DEV, 240–259: outcomes of enrolment for whole fleets.
const (
	EnrolNotExpected    = "ZT-DEV-240"
	EnrolArrivedAlready = "ZT-DEV-241"
	EnrolEKEnded        = "ZT-DEV-242"
	EnrolEKOtherName    = "ZT-DEV-243"
	EnrolReplacedGone   = "ZT-DEV-244"
)

// Area CFG, 060–069: lists of expected devices and of names.
const (
	CfgListHeader = "ZT-CFG-060"
	CfgListValue  = "ZT-CFG-061"
	CfgListTwice  = "ZT-CFG-062"
	CfgListTaken  = "ZT-CFG-063"
	CfgListSize   = "ZT-CFG-064"
	CfgListEmpty  = "ZT-CFG-065"
	CfgListUnread = "ZT-CFG-066"
	CfgListPerson = "ZT-CFG-067"
	CfgListAgency = "ZT-CFG-068"
	CfgOtherEK    = "ZT-CFG-069"
)
