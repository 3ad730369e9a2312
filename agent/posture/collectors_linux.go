package posture

import (
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// collectors lists what is measured on Linux.
func collectors() []collector {
	return []collector{
		{id: wire.ClaimOSRelease, source: "os-release(5)", measure: osRelease},
		{
			id: wire.ClaimOSUpdates, source: "package database and indexes of security updates", measure: osUpdates,
			keep: keep{while: 6 * time.Hour, files: []string{
				"var/lib/dpkg/status", "var/lib/apt/lists", "var/lib/apt/lists/partial", "var/lib/apt/periodic/update-success-stamp",
				"var/lib/rpm/rpmdb.sqlite", "usr/lib/sysimage/rpm/rpmdb.sqlite", "var/cache/dnf", "var/cache/libdnf5", "run/reboot-required",
			}},
		},
		{
			id: wire.ClaimAutoUpdates, source: "apt-config, systemd timers", measure: autoUpdates,
			keep: keep{while: 2 * time.Minute, files: []string{
				"etc/apt/apt.conf.d", "etc/apt/apt.conf", "etc/apt/apt.conf.d/20auto-upgrades", "etc/dnf/automatic.conf", "etc/systemd/system/timers.target.wants",
			}},
		},
		{id: wire.ClaimDiskEncryption, source: "sysfs block devices", measure: diskEncryption},
		{id: wire.ClaimFirewall, source: "nftables by the helper", measure: firewall},
		{id: wire.ClaimSecureBoot, source: "EFI variables", measure: secureBoot},
		{id: wire.ClaimKernelLockdown, source: "securityfs", measure: kernelLockdown},
		{id: wire.ClaimScreenLock, source: "reports of the desktop sessions", measure: screenLock},
		{id: wire.ClaimAntivirus, source: "systemd units, signature files", measure: antivirus, keep: keep{while: time.Minute, files: clamavFolders()}},
		{id: wire.ClaimTimeSync, source: "timedated", measure: timeSync, keep: keep{while: 2 * time.Minute}},
		{
			id: wire.ClaimAdministrators, source: "passwd, group and their other sources", measure: administrators,
			keep: keep{while: 10 * time.Minute, files: []string{"etc/passwd", "etc/group", "etc/nsswitch.conf"}},
		},
		{
			id: wire.ClaimUSBStorage, source: "modprobe's configuration, loaded modules", measure: usbStorage,
			keep: keep{while: time.Minute, files: []string{"sys/module", "etc/modprobe.d", "run/modprobe.d", "usr/lib/modprobe.d"}},
		},
	}
}
