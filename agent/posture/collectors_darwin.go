package posture

import "github.com/menshen-zt/menshen/internal/wire"

// collectors lists what will be measured here; nothing is yet.
func collectors() []collector {
	return []collector{
		{id: wire.ClaimOSRelease, source: "none", measure: unmeasured},
		{id: wire.ClaimOSUpdates, source: "none", measure: unmeasured},
		{id: wire.ClaimAutoUpdates, source: "none", measure: unmeasured},
		{id: wire.ClaimDiskEncryption, source: "none", measure: unmeasured},
		{id: wire.ClaimFirewall, source: "none", measure: unmeasured},
		{id: wire.ClaimSecureBoot, source: "none", measure: unmeasured},
		{id: wire.ClaimKernelLockdown, source: "none", measure: unmeasured},
		{id: wire.ClaimScreenLock, source: "none", measure: unmeasured},
		{id: wire.ClaimAntivirus, source: "none", measure: unmeasured},
		{id: wire.ClaimTimeSync, source: "none", measure: unmeasured},
		{id: wire.ClaimAdministrators, source: "none", measure: unmeasured},
		{id: wire.ClaimUSBStorage, source: "none", measure: unmeasured},
	}
}
