package posture

import (
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// seldom is for what an interface answers slowly and changes by hand.
var seldom = keep{while: 2 * time.Minute}

// collectors lists what is measured on Windows. None of it was run on Windows:
// it was tested on recorded answers.
func collectors() []collector {
	return []collector{
		{id: wire.ClaimOSRelease, source: "registry", measure: osReleaseWin},
		{id: wire.ClaimOSUpdates, source: "Windows Update agent", measure: osUpdatesWin, keep: keep{while: 10 * time.Minute}},
		{id: wire.ClaimAutoUpdates, source: "Windows Update agent", measure: autoUpdatesWin, keep: keep{while: 10 * time.Minute}},
		{id: wire.ClaimDiskEncryption, source: "BitLocker by WMI", measure: diskEncryptionWin, keep: seldom},
		{id: wire.ClaimFirewall, source: "firewall policy", measure: firewallWin},
		{id: wire.ClaimSecureBoot, source: "registry", measure: secureBootWin},
		{id: wire.ClaimKernelLockdown, source: "Device Guard by WMI", measure: lockdownWin, keep: seldom},
		{id: wire.ClaimScreenLock, source: "machine inactivity limit", measure: screenLockWin},
		{id: wire.ClaimAntivirus, source: "Security Center", measure: antivirusWin, keep: keep{while: time.Minute}},
		{id: wire.ClaimTimeSync, source: "time service", measure: timeSyncWin},
		{id: wire.ClaimAdministrators, source: "local group", measure: administratorsWin, keep: seldom},
		{id: wire.ClaimUSBStorage, source: "registry", measure: usbStorageWin},
	}
}
