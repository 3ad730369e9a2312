package posture

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// btrfs finds the devices of a btrfs file system. Its mounts carry an anonymous
// device number, so the mount's source gives one member and sysfs the rest.
func (d disks) btrfs(m mount) (layers, error) {
	member, err := d.kernelName(m.source)
	if err != nil {
		return layers{}, err
	}
	systems, err := fs.ReadDir(d.files, "sys/fs/btrfs")
	if err != nil {
		return layers{}, fmt.Errorf("the devices of a btrfs file system: %w", err)
	}
	for _, s := range systems {
		dir := "sys/fs/btrfs/" + s.Name() + "/devices"
		if !d.exists(dir + "/" + member) {
			continue
		}
		devices, err := fs.ReadDir(d.files, dir)
		if err != nil {
			return layers{}, fmt.Errorf("the devices of a btrfs file system: %w", err)
		}
		var names []string
		for _, e := range devices {
			names = append(names, e.Name())
		}
		return d.all("btrfs", names, 0)
	}
	return layers{}, fmt.Errorf("no btrfs file system has the device %s", m.source)
}

// kernelName turns /dev/sda2 or /dev/mapper/NAME into a name in /sys/class/block.
func (d disks) kernelName(source string) (string, error) {
	mapped, ok := strings.CutPrefix(source, "/dev/mapper/")
	if !ok {
		name, ok := strings.CutPrefix(source, "/dev/")
		if !ok {
			return "", fmt.Errorf("the mount's source %q is no device", source)
		}
		return strings.ReplaceAll(name, "/", "!"), nil
	}
	devices, err := fs.ReadDir(d.files, "sys/class/block")
	if err != nil {
		return "", fmt.Errorf("listing block devices: %w", err)
	}
	for _, e := range devices {
		name, err := read(d.files, path.Join("sys/class/block", e.Name(), "dm/name"), 4096)
		if err == nil && strings.TrimSpace(string(name)) == mapped {
			return e.Name(), nil
		}
	}
	return "", fmt.Errorf("no device is mapped as %s", mapped)
}
