package posture

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/menshen-zt/menshen/internal/wire"
)

// diskEncryption passes when everything under `/`, and under the mounts that
// hold people's data, lies on LUKS. It walks from each mount down through sysfs
// to the disks, so an encrypted device somewhere else in the machine (a loop
// device, a stick) helps nothing.
func diskEncryption(_ context.Context, m Machine) outcome {
	raw, err := read(m.Files, "proc/self/mountinfo", 4<<20)
	if err != nil {
		return cannot("reading the mounts: %v", err)
	}
	mounts, err := dataMounts(string(raw))
	if err != nil {
		return cannot("%v", err)
	}
	d := disks{files: m.Files}
	whole := outcome{state: wire.ClaimPass, value: map[string]string{}}
	for _, mount := range mounts {
		layers, err := d.mount(mount)
		if err != nil {
			return cannot("%s: %v", mount.point, err)
		}
		whole.value[mount.point] = layers.String()
		if !layers.encrypted {
			whole.state = wire.ClaimFail
		}
	}
	return whole
}

// layers is what lies under one mount, from the top down.
type layers struct {
	names     []string
	encrypted bool
}

func (l layers) String() string { return strings.Join(l.names, " > ") }

func (l layers) on(upper string) layers {
	l.names = append([]string{upper}, l.names...)
	return l
}

// disks walks block devices in sysfs.
type disks struct{ files fs.FS }

// maxLayers bounds the walk; real stacks have five.
const maxLayers = 16

func (d disks) mount(m mount) (layers, error) {
	if m.fstype == "btrfs" {
		return d.btrfs(m)
	}
	if m.major == "0" {
		return layers{}, fmt.Errorf("a %s file system has no block device to look at", m.fstype)
	}
	uevent, err := read(d.files, "sys/dev/block/"+m.major+":"+m.minor+"/uevent", 4096)
	if err != nil {
		return layers{}, fmt.Errorf("block device %s:%s: %w", m.major, m.minor, err)
	}
	for line := range strings.Lines(string(uevent)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "DEVNAME="); ok {
			return d.device(strings.ReplaceAll(name, "/", "!"), 0)
		}
	}
	return layers{}, fmt.Errorf("block device %s:%s has no name", m.major, m.minor)
}

// device walks down from one block device by its kernel name.
func (d disks) device(name string, depth int) (layers, error) {
	if depth > maxLayers {
		return layers{}, fmt.Errorf("more than %d layers of block devices", maxLayers)
	}
	if name == "" || strings.ContainsAny(name, "/\x00") || name == "." || name == ".." {
		return layers{}, fmt.Errorf("odd block device name %q", name)
	}
	dir := "sys/class/block/" + name
	if kind, err := d.cryptKind(dir); err != nil {
		return layers{}, err
	} else if kind == "LUKS1" || kind == "LUKS2" {
		return layers{names: []string{name + " (" + kind + ")"}, encrypted: true}, nil
	} else if kind != "" {
		return layers{}, fmt.Errorf("%s is encrypted as %s, which is not judged", name, kind)
	}
	below, err := d.slaves(dir)
	if err != nil {
		return layers{}, err
	}
	if len(below) > 0 {
		return d.all(name, below, depth)
	}
	return d.bottom(dir, name, depth)
}

// all joins what lies under a device that stands on several: one plain disk
// under a volume group or an array makes the whole of it plain.
func (d disks) all(name string, below []string, depth int) (layers, error) {
	joined := layers{encrypted: true}
	for _, s := range below {
		l, err := d.device(s, depth+1)
		if err != nil {
			return layers{}, err
		}
		joined.encrypted = joined.encrypted && l.encrypted
		joined.names = append(joined.names, l.String())
	}
	return layers{names: []string{strings.Join(joined.names, " + ")}, encrypted: joined.encrypted}.on(name), nil
}

// bottom judges a device with nothing under it: a partition stands on its disk,
// a disk is plain, and what is neither is not known.
func (d disks) bottom(dir, name string, depth int) (layers, error) {
	if d.exists(dir + "/dm") {
		return layers{}, fmt.Errorf("%s is a device-mapper device with nothing under it", name)
	}
	if d.exists(dir + "/loop") {
		return layers{}, fmt.Errorf("%s is a loop device; the disk under its file is not judged", name)
	}
	if d.exists(dir + "/partition") {
		target, err := fs.ReadLink(d.files, dir)
		if err != nil {
			return layers{}, fmt.Errorf("the disk of partition %s: %w", name, err)
		}
		disk, err := d.device(path.Base(path.Dir(target)), depth+1)
		return disk.on(name), err
	}
	if !d.exists(dir + "/device") {
		return layers{}, fmt.Errorf("%s is not a disk that is known here", name)
	}
	return layers{names: []string{name + " (plain)"}}, nil
}

// cryptKind returns the kind of dm-crypt device that dir is, such as LUKS2;
// empty if it is none. The kernel keeps what cryptsetup called the device:
// CRYPT-LUKS2-<uuid>-<name>. CRYPT-VERITY and CRYPT-INTEGRITY encrypt nothing.
func (d disks) cryptKind(dir string) (string, error) {
	if !d.exists(dir + "/dm") {
		return "", nil
	}
	uuid, err := read(d.files, dir+"/dm/uuid", 4096)
	if err != nil {
		return "", fmt.Errorf("reading a device-mapper uuid: %w", err)
	}
	rest, ok := strings.CutPrefix(string(uuid), "CRYPT-")
	if !ok {
		return "", nil
	}
	kind, _, _ := strings.Cut(strings.TrimSpace(rest), "-")
	switch kind {
	case "VERITY", "INTEGRITY", "SUBDEV":
		return "", nil
	case "":
		return "", fmt.Errorf("odd device-mapper uuid %q", uuid)
	}
	return kind, nil
}

func (d disks) slaves(dir string) ([]string, error) {
	if !d.exists(dir + "/slaves") {
		return nil, nil // partitions have no such directory
	}
	entries, err := fs.ReadDir(d.files, dir+"/slaves")
	if err != nil {
		return nil, fmt.Errorf("what lies under a block device: %w", err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	slices.Sort(names)
	return names, nil
}

func (d disks) exists(name string) bool {
	_, err := fs.Stat(d.files, name)
	return err == nil
}
