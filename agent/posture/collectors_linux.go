package posture

import "github.com/menshen-zt/menshen/internal/wire"

// collectors lists what is measured on Linux.
func collectors() []collector {
	return []collector{
		{wire.ClaimOSRelease, "os-release(5)", osRelease},
		{wire.ClaimDiskEncryption, "sysfs block devices", diskEncryption},
		{wire.ClaimFirewall, "nftables by the helper", firewall},
		{wire.ClaimSecureBoot, "EFI variables", secureBoot},
	}
}
