package reason

// Shared signals: streams of events to receivers, and what sources of risk
// report. SES 070–079, TRU 040–049, CFG 150–159.
const (
	SignalReceiverUnknown   = "ZT-SES-070"
	SignalNoStream          = "ZT-SES-071"
	SignalStreamRefused     = "ZT-SES-072"
	SignalEndpointForbidden = "ZT-SES-073"
	SignalTooManyStreams    = "ZT-SES-074"
	SignalTooOften          = "ZT-SES-075"
	SessionEndedByAdmin     = "ZT-SES-076"
	SessionEndedByPerson    = "ZT-SES-077"
	SessionEndedByNewOne    = "ZT-SES-078"
	SessionEndedTooMany     = "ZT-SES-079"

	SignalScore        = "ZT-TRU-040"
	RiskSourceUnknown  = "ZT-TRU-041"
	RiskNotAnEvent     = "ZT-TRU-042"
	RiskKeyUnknown     = "ZT-TRU-043"
	RiskIssuerOther    = "ZT-TRU-044"
	RiskAudienceOther  = "ZT-TRU-045"
	RiskClaimsWrong    = "ZT-TRU-046"
	RiskEventUnknown   = "ZT-TRU-047"
	RiskSubjectUnknown = "ZT-TRU-048"
	RiskTooMany        = "ZT-TRU-049"

	CfgReceiverName    = "ZT-CFG-150"
	CfgReceiverPush    = "ZT-CFG-151"
	CfgReceiverTooMany = "ZT-CFG-152"
	CfgSourceName      = "ZT-CFG-153"
	CfgSourceIssuer    = "ZT-CFG-154"
	CfgSourceKeys      = "ZT-CFG-155"
	CfgSourceDomain    = "ZT-CFG-156"
	CfgSourceLife      = "ZT-CFG-157"
	CfgSourceTooMany   = "ZT-CFG-158"
	CfgSourceKeysURL   = "ZT-CFG-159"
)
