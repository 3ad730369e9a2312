package reason

// Area DEV, 060–099: the claims about a device's health beyond the first four
// (requirements 6).
const (
	UpdatesPending    = "ZT-DEV-060"
	UpdatesUnmeasured = "ZT-DEV-061"
	UpdatesMissing    = "ZT-DEV-062"

	ScreenLockOff        = "ZT-DEV-063"
	ScreenLockUnmeasured = "ZT-DEV-064"
	ScreenLockMissing    = "ZT-DEV-065"

	AntivirusNotFresh   = "ZT-DEV-066"
	AntivirusUnmeasured = "ZT-DEV-067"
	AntivirusMissing    = "ZT-DEV-068"

	AutoUpdatesOff        = "ZT-DEV-069"
	AutoUpdatesUnmeasured = "ZT-DEV-070"
	AutoUpdatesMissing    = "ZT-DEV-071"

	AdministratorsTooMany    = "ZT-DEV-072"
	AdministratorsUnmeasured = "ZT-DEV-073"
	AdministratorsMissing    = "ZT-DEV-074"

	ClockNotSynchronised = "ZT-DEV-075"
	TimeSyncUnmeasured   = "ZT-DEV-076"
	TimeSyncMissing      = "ZT-DEV-077"

	LockdownOff        = "ZT-DEV-078"
	LockdownUnmeasured = "ZT-DEV-079"
	LockdownMissing    = "ZT-DEV-080"

	USBStorageOpen       = "ZT-DEV-081"
	USBStorageUnmeasured = "ZT-DEV-082"
	USBStorageMissing    = "ZT-DEV-083"
)
