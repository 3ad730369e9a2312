package posture

import "github.com/menshen-zt/menshen/internal/wire"

// collectors lists what will be measured here; nothing is yet.
func collectors() []collector {
	return []collector{
		{wire.ClaimOSRelease, "none", unmeasured},
		{wire.ClaimDiskEncryption, "none", unmeasured},
		{wire.ClaimFirewall, "none", unmeasured},
		{wire.ClaimSecureBoot, "none", unmeasured},
	}
}
