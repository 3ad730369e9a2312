//go:build !darwin

package inventory

import "github.com/menshen-zt/menshen/internal/wire"

// uninstallEntry is one subkey of Windows' Uninstall keys, which installers
// write for "Apps & features".
type uninstallEntry struct {
	key                           string
	displayName, version, vendor  string
	systemComponent               bool
	parent, releaseType, platform string
}

// programOf leaves out what Windows itself does not show: parts of another
// program, and updates to one.
func programOf(e uninstallEntry) (wire.Software, bool) {
	if e.displayName == "" || e.systemComponent || e.parent != "" {
		return wire.Software{}, false
	}
	switch e.releaseType {
	case "Security Update", "Update Rollup", "Hotfix", "ServicePack":
		return wire.Software{}, false
	}
	return wire.Software{Source: wire.SoftwareRegistry, Name: e.displayName, Version: e.version, Vendor: e.vendor, Arch: e.platform}, true
}
