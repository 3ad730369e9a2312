package reason

// A person's word against a decision, and an officer's answer.
const (
	AppealDecision       = "ZT-TRU-070"
	AppealTwice          = "ZT-TRU-071"
	AppealText           = "ZT-TRU-072"
	AppealTooMany        = "ZT-TRU-073"
	AppealKindUnknown    = "ZT-TRU-074"
	AppealAnswered       = "ZT-TRU-075"
	AppealAnswer         = "ZT-TRU-076"
	AppealOutcomeUnknown = "ZT-TRU-077"
	PersonalSignIn       = "ZT-TRU-078"
	PersonalBusy         = "ZT-TRU-079"
)
