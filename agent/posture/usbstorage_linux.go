package posture

import (
	"context"
	"io/fs"
	"strings"

	"github.com/menshen-zt/menshen/internal/wire"
)

// The drivers of USB storage: the first for bulk-only devices, the second for
// the faster protocol, which can be loaded without the first being asked for.
var usbDrivers = [...]string{"usb_storage", "uas"}

// usbStorage passes when neither driver is in the kernel and modprobe would
// not load one for a device that is plugged in. Where USBGuard runs its rules
// decide, which root alone can read.
func usbStorage(ctx context.Context, m Machine) outcome {
	if _, err := fs.Stat(m.Files, "sys/bus"); err != nil {
		return cannot("sysfs is not mounted")
	}
	if entries, err := fs.ReadDir(m.Files, "sys/bus/usb/devices"); err != nil || len(entries) == 0 {
		return outcome{state: wire.ClaimNotApplicable, problem: "this machine has no USB"}
	}
	value, open := map[string]string{}, ""
	blocked, err := blockedModules(m.Files)
	if err != nil {
		return cannot("%v", err)
	}
	for _, driver := range usbDrivers {
		_, err := fs.Stat(m.Files, "sys/module/"+driver)
		switch {
		case err == nil:
			value[driver], open = "loaded", driver+" is loaded"
		case blocked[driver]:
			value[driver] = "blocked"
		default:
			value[driver] = "loadable"
			if open == "" {
				open = driver + " is loaded when a device is plugged in"
			}
		}
	}
	if open == "" {
		return passes(value)
	}
	if guards, err := units(ctx, m, "usbguard.service"); err == nil && guards[0].running() {
		return outcome{state: wire.ClaimManual, value: value, problem: "USBGuard decides; its rules are to be looked at by root"}
	}
	return fails(value, "%s", open)
}

// blockedModules are the modules that the kernel does not ask for on its own:
// modprobe is told so by its configuration, or the kernel by its command line.
func blockedModules(files fs.FS) (map[string]bool, error) {
	blocked, err := modprobeBlocks(files)
	if err != nil {
		return nil, err
	}
	raw, err := read(files, "proc/cmdline", 64<<10)
	if err != nil {
		return nil, err
	}
	for _, word := range strings.Fields(string(raw)) {
		name, list, _ := strings.Cut(word, "=")
		if name != "module_blacklist" && name != "modprobe.blacklist" {
			continue
		}
		for module := range strings.SplitSeq(list, ",") {
			blocked[moduleName(module)] = true
		}
	}
	return blocked, nil
}
