package reason

// What the plugin devicepair says.
const (
	DeviceFamiliar = "ZT-TRU-100"
	DeviceShared   = "ZT-TRU-101"
	DeviceStrange  = "ZT-TRU-102"
	DeviceUnnamed  = "ZT-TRU-103"
)
