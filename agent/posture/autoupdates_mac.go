//go:build !windows

package posture

import (
	"context"
	"strings"
)

// wantedUpdates are the settings that together install security updates by
// themselves. Where nothing sets one, macOS has it on.
var wantedUpdates = [...]string{"AutomaticCheckEnabled", "AutomaticDownload", "CriticalUpdateInstall", "ConfigDataInstall"}

// autoUpdatesMac passes when macOS searches, loads and installs security
// updates by itself.
func autoUpdatesMac(ctx context.Context, m Machine) outcome {
	value := map[string]string{}
	var off []string
	for _, key := range wantedUpdates {
		text, err := preference(ctx, m, softwareUpdate, key)
		if err != nil {
			return cannot("%v", err)
		}
		on, known := truth(text)
		if !known && text != "" {
			return cannot("%s has the odd value %.20q", key, text)
		}
		value[key] = text
		if known && !on {
			off = append(off, key)
		}
	}
	if len(off) > 0 {
		return fails(value, "off: %s", strings.Join(off, ", "))
	}
	return passes(value)
}

// truth reads a boolean as property lists are printed.
func truth(text string) (value, known bool) {
	switch text {
	case "true", "1":
		return true, true
	case "false", "0":
		return false, true
	}
	return false, false
}
