package posture

import (
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/wire"
)

const (
	luks2 = "CRYPT-LUKS2-0123456789abcdef0123456789abcdef-cryptroot"
	luks1 = "CRYPT-LUKS1-0123456789abcdef0123456789abcdef-cryptroot"
	lvm   = "LVM-AbCdEf"
)

func TestDiskEncryption(t *testing.T) {
	const (
		rootDM0  = "27 1 253:0 / / rw,relatime - ext4 /dev/mapper/cryptroot rw"
		rootDM1  = "27 1 253:1 / / rw,relatime - ext4 /dev/mapper/vg-root rw"
		rootSDA2 = "27 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw"
		proc     = "22 27 0:21 / /proc rw - proc proc rw"
		boot     = "29 27 8:1 / /boot rw - ext4 /dev/sda1 rw"
	)
	sda := func() recorded {
		return recorded{}.disk("sda", "8:0").partition("sda", "sda1", "8:1").partition("sda", "sda2", "8:2")
	}
	for _, c := range []struct {
		name    string
		machine recorded
		state   wire.ClaimState
		problem string
	}{
		{"LUKS2 on a partition", sda().mapped("dm-0", "253:0", "cryptroot", luks2, "sda2").mounts(proc, rootDM0, boot), wire.ClaimPass, ""},
		{"LUKS1 on a partition", sda().mapped("dm-0", "253:0", "cryptroot", luks1, "sda2").mounts(rootDM0), wire.ClaimPass, ""},
		{"LVM on LUKS", sda().mapped("dm-0", "253:0", "crypt", luks2, "sda2").mapped("dm-1", "253:1", "vg-root", lvm, "dm-0").mounts(rootDM1), wire.ClaimPass, ""},
		{"LUKS on LVM", sda().mapped("dm-1", "253:1", "vg-root", lvm, "sda2").mapped("dm-0", "253:0", "crypt", luks2, "dm-1").mounts(rootDM0), wire.ClaimPass, ""},
		{"LUKS on an array", sda().virtual("md0", "9:0", "sda1", "sda2").mapped("dm-0", "253:0", "crypt", luks2, "md0").mounts(rootDM0), wire.ClaimPass, ""},
		{"partition of an array on LUKS", sda().mapped("dm-0", "253:0", "c", luks2, "sda2").virtual("md0", "9:0", "dm-0").
			block("md0p1", "259:1", "sys/devices/virtual/block/md0/md0p1").file("sys/devices/virtual/block/md0/md0p1/partition", "1").
			mounts("27 1 259:1 / / rw - ext4 /dev/md0p1 rw"), wire.ClaimPass, ""},
		{"plain partition", sda().mounts(rootSDA2), wire.ClaimFail, ""},
		{"plain disk", recorded{}.disk("vda", "254:0").mounts("27 1 254:0 / / rw - ext4 /dev/vda rw"), wire.ClaimFail, ""},
		{"plain LVM", sda().mapped("dm-1", "253:1", "vg-root", lvm, "sda2").mounts(rootDM1), wire.ClaimFail, ""},
		{"LVM over an encrypted and a plain disk", sda().mapped("dm-0", "253:0", "c", luks2, "sda1").
			mapped("dm-1", "253:1", "vg-root", lvm, "dm-0", "sda2").mounts(rootDM1), wire.ClaimFail, ""},
		{"plain root beside an encrypted loop device", sda().virtual("loop0", "7:0").file("sys/devices/virtual/block/loop0/loop/backing_file", "/x").
			mapped("dm-0", "253:0", "vault", luks2, "loop0").mounts(rootSDA2, "30 27 253:0 / /mnt/vault rw - ext4 /dev/mapper/vault rw"), wire.ClaimFail, ""},
		{"verity encrypts nothing", sda().mapped("dm-0", "253:0", "root", "CRYPT-VERITY-0123-root", "sda2").mounts(rootDM0), wire.ClaimFail, ""},
		{"integrity encrypts nothing", sda().mapped("dm-0", "253:0", "root", "CRYPT-INTEGRITY-root", "sda2").mounts(rootDM0), wire.ClaimFail, ""},
		{"plain home", sda().mapped("dm-0", "253:0", "cryptroot", luks2, "sda2").
			mounts(rootDM0, "31 27 8:1 / /home rw - ext4 /dev/sda1 rw"), wire.ClaimFail, ""},
		{"plain home covered by a sandbox", sda().mapped("dm-0", "253:0", "cryptroot", luks2, "sda2").
			mounts(rootDM0, "31 27 8:1 / /home rw - ext4 /dev/sda1 rw", "32 31 0:44 / /home ro - tmpfs tmpfs ro"), wire.ClaimFail, ""},
		{"a snap beside it", sda().mapped("dm-0", "253:0", "cryptroot", luks2, "sda2").
			mounts(rootDM0, "31 27 7:3 / /var/lib/snapd/snap/core ro - squashfs /dev/loop3 ro"), wire.ClaimPass, ""},
		{"btrfs on LUKS", sda().mapped("dm-0", "253:0", "luks-1", luks2, "sda2").file("sys/fs/btrfs/u-1/devices/dm-0", "").
			mounts("27 1 0:30 /root / rw - btrfs /dev/mapper/luks-1 rw"), wire.ClaimPass, ""},
		{"btrfs with a plain second disk", sda().mapped("dm-0", "253:0", "luks-1", luks2, "sda2").
			file("sys/fs/btrfs/u-1/devices/dm-0", "").file("sys/fs/btrfs/u-1/devices/sda1", "").
			mounts("27 1 0:30 /root / rw - btrfs /dev/mapper/luks-1 rw"), wire.ClaimFail, ""},
		{"btrfs on a plain partition", sda().file("sys/fs/btrfs/u-1/devices/sda2", "").
			mounts("27 1 0:30 / / rw - btrfs /dev/sda2 rw"), wire.ClaimFail, ""},
		{"btrfs that sysfs does not know", sda().mounts("27 1 0:30 / / rw - btrfs /dev/sda2 rw"), wire.ClaimError, "btrfs"},
		{"overlay", sda().mounts("27 1 0:50 / / rw - overlay overlay rw"), wire.ClaimError, "overlay"},
		{"tmpfs", sda().mounts("27 1 0:50 / / rw - tmpfs tmpfs rw"), wire.ClaimError, "tmpfs"},
		{"initramfs below the root", sda().mapped("dm-0", "253:0", "c", luks2, "sda2").
			mounts("1 1 0:2 / / rw - rootfs rootfs rw", rootDM0), wire.ClaimPass, ""},
		{"root on a loop device", recorded{}.virtual("loop0", "7:0").file("sys/devices/virtual/block/loop0/loop/backing_file", "/x").
			mounts("27 1 7:0 / / rw - ext4 /dev/loop0 rw"), wire.ClaimError, "loop device"},
		{"memory disk", recorded{}.virtual("ram0", "1:0").mounts("27 1 1:0 / / rw - ext4 /dev/ram0 rw"), wire.ClaimError, "not a disk"},
		{"mapped without a disk", recorded{}.mapped("dm-0", "253:0", "zero", "").mounts(rootDM0), wire.ClaimError, "nothing under it"},
		{"plain dm-crypt", sda().mapped("dm-0", "253:0", "c", "CRYPT-PLAIN-c", "sda2").mounts(rootDM0), wire.ClaimError, "PLAIN"},
		{"uuid unreadable", func() recorded {
			r := sda().mapped("dm-0", "253:0", "c", luks2, "sda2").mounts(rootDM0)
			delete(r, "sys/devices/virtual/block/dm-0/dm/uuid")
			return r
		}(), wire.ClaimError, "uuid"},
		{"device without sysfs", recorded{}.mounts(rootSDA2), wire.ClaimError, "8:2"},
		{"no root", recorded{}.mounts(proc), wire.ClaimError, "no root"},
		{"no mounts", recorded{}, wire.ClaimError, "mounts"},
		{"odd mounts", recorded{}.mounts("x"), wire.ClaimError, "odd line"},
		{"odd device number", recorded{}.mounts("27 1 ../x:0 / / rw - ext4 /dev/sda rw"), wire.ClaimError, "odd device number"},
	} {
		t.Run(c.name, func(t *testing.T) { expect(t, c.machine.run(diskEncryption), c.state, c.problem) })
	}
}

func TestAnEndlessStackIsRefused(t *testing.T) {
	r := recorded{}.mapped("dm-0", "253:0", "a", lvm, "dm-1").mapped("dm-1", "253:1", "b", lvm, "dm-0").
		mounts("27 1 253:0 / / rw - ext4 /dev/mapper/a rw")
	expect(t, r.run(diskEncryption), wire.ClaimError, "layers")
}

func TestTheChainIsShown(t *testing.T) {
	r := recorded{}.disk("sda", "8:0").partition("sda", "sda2", "8:2").mounts("27 1 8:2 / / rw - ext4 /dev/sda2 rw")
	if got := r.run(diskEncryption).value["/"]; got != "sda2 > sda (plain)" {
		t.Errorf("%q", got)
	}
}

func FuzzMountinfo(f *testing.F) {
	f.Add("27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n")
	f.Add("27 1 0:30 /root / rw shared:1 - btrfs /dev/mapper/luks-1 rw,space_cache\n31 27 8:1 / /home\\040x rw - ext4 /dev/sda1 rw\n")
	f.Fuzz(func(t *testing.T, text string) {
		mounts, err := dataMounts(text)
		if err == nil && (len(mounts) == 0 || mounts[0].point != "/") {
			t.Error("no root first")
		}
		for _, m := range mounts {
			if strings.ContainsAny(m.major+m.minor, "/.") {
				t.Errorf("a device number that walks: %q:%q", m.major, m.minor)
			}
		}
	})
}
