//go:build !windows

package posture

import "context"

// osReleaseMac names the release as macOS counts it (sw_vers(1)).
func osReleaseMac(ctx context.Context, m Machine) outcome {
	version, err := says(ctx, m, "/usr/bin/sw_vers", "-productVersion")
	if err != nil || version == "" {
		return cannot("the release is not known: %v", err)
	}
	value := map[string]string{"id": "macos", "version_id": version}
	if build, err := says(ctx, m, "/usr/bin/sw_vers", "-buildVersion"); err == nil {
		value["build"] = build
	}
	return passes(value)
}
