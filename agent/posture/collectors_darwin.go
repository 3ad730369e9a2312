package posture

import (
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// seldom is for what a program is asked for and changes by hand.
var seldom = keep{while: 2 * time.Minute}

// collectors lists what is measured on macOS. None of it was run on a Mac: it
// was tested on recorded answers.
func collectors() []collector {
	return []collector{
		{id: wire.ClaimOSRelease, source: "sw_vers", measure: osReleaseMac, keep: keep{while: time.Hour}},
		{id: wire.ClaimOSUpdates, source: "software update's preferences", measure: osUpdatesMac, keep: keep{while: 10 * time.Minute}},
		{id: wire.ClaimAutoUpdates, source: "software update's preferences", measure: autoUpdatesMac, keep: seldom},
		{id: wire.ClaimDiskEncryption, source: "fdesetup", measure: diskEncryptionMac, keep: seldom},
		{id: wire.ClaimFirewall, source: "socketfilterfw", measure: firewallMac},
		{id: wire.ClaimSecureBoot, source: "system_profiler", measure: secureBootMac, keep: keep{while: time.Hour}},
		{id: wire.ClaimKernelLockdown, source: "csrutil", measure: lockdownMac, keep: keep{while: time.Hour}},
		{id: wire.ClaimScreenLock, source: "management profile", measure: screenLockMac, keep: seldom},
		{id: wire.ClaimAntivirus, source: "signatures' age", measure: antivirusMac, keep: seldom},
		{id: wire.ClaimTimeSync, source: "timed's preferences", measure: timeSyncMac, keep: seldom},
		{id: wire.ClaimAdministrators, source: "directory service", measure: administratorsMac, keep: seldom},
		{id: wire.ClaimUSBStorage, source: "management profile", measure: usbStorageMac, keep: seldom},
	}
}
