//go:build !windows

package posture

import "context"

// usbStorageMac judges the management profile that keeps external disks from
// being mounted. macOS has no setting for it outside of management.
func usbStorageMac(ctx context.Context, m Machine) outcome {
	text, err := preference(ctx, m, "com.apple.systemuiserver", "mount-controls.harddisk-external")
	if err != nil {
		return cannot("%v", err)
	}
	// plutil prints the number of a list's entries in raw form.
	if text == "" || text == "0" {
		return fails(nil, "no management profile restricts external disks")
	}
	rule, err := preference(ctx, m, "com.apple.systemuiserver", "mount-controls.harddisk-external.0")
	if err != nil {
		return cannot("%v", err)
	}
	if rule == "deny" {
		return passes(map[string]string{"external_disks": rule})
	}
	return fails(map[string]string{"external_disks": rule}, "external disks are not denied")
}
