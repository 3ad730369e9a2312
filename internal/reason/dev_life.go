package reason

// Area DEV, 260–299: a device's life, and keys that live in software.
const (
	DeviceQuarantined     = "ZT-DEV-260"
	DeviceWaitingSoftware = "ZT-DEV-261"

	SoftwareKeys     = "ZT-DEV-270"
	SoftwareCloned   = "ZT-DEV-271"
	SoftwareMissing  = "ZT-DEV-272"
	QuoteForSoftware = "ZT-DEV-273"
	SoftwareForTPM   = "ZT-DEV-274"
	SoftwareProofBad = "ZT-DEV-275"

	EnrolSoftwareKey   = "ZT-DEV-280"
	EnrolSoftwareProof = "ZT-DEV-281"
	EnrolSoftwareMixed = "ZT-DEV-282"
)

// Area AGT, 140–159: keys that live in software.
const (
	SoftkeySecret   = "ZT-AGT-140"
	SoftkeyUnsealed = "ZT-AGT-141"
	SoftkeyCounter  = "ZT-AGT-142"
	SoftkeySetting  = "ZT-AGT-143"
)

// Area CFG, 070–079: what administrators set in a device's life.
const (
	CfgStatusReason = "ZT-CFG-070"
	CfgOwner        = "ZT-CFG-071"
	CfgHosts        = "ZT-CFG-072"
	CfgSameAgency   = "ZT-CFG-073"
)

// Area POL: the device's life and the portal's own host.
const (
	DeviceInQuarantine  = "ZT-POL-046"
	DeviceOfAnother     = "ZT-POL-047"
	HostUnknown         = "ZT-POL-048"
	HostNotFresh        = "ZT-POL-049"
	HostContraindicated = "ZT-POL-050"
	HostNotAffirming    = "ZT-POL-051"
)
