//go:build !windows

package posture

import (
	"context"
	"encoding/json"
)

// secureBootMac reads the start-up security of Apple's chip from the system's
// own report in JSON. What a Mac without such a chip does at start is not known.
func secureBootMac(ctx context.Context, m Machine) outcome {
	out, err := says(ctx, m, "/usr/sbin/system_profiler", "-json", "SPiBridgeDataType")
	if err != nil {
		return cannot("the start-up security is not known: %v", err)
	}
	var report struct {
		Bridges []struct {
			SecureBoot string `json:"ibridge_secure_boot"`
			Model      string `json:"ibridge_model_name"`
		} `json:"SPiBridgeDataType"`
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		return cannot("the report of the start-up security is not understood")
	}
	if len(report.Bridges) != 1 {
		return cannot("this Mac has no chip of Apple's that verifies the start")
	}
	value := map[string]string{"policy": report.Bridges[0].SecureBoot, "chip": report.Bridges[0].Model}
	switch value["policy"] {
	case "Full Security", "full_security":
		return passes(value)
	case "Medium Security", "medium_security", "Reduced Security", "reduced_security", "No Security", "no_security", "Permissive Security", "permissive_security":
		return fails(value, "the start-up security is %s", value["policy"])
	}
	return cannot("the start-up security %.40q is not known here", value["policy"])
}
