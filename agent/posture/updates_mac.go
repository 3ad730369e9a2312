//go:build !windows

package posture

import (
	"context"
	"strconv"
	"time"
)

const softwareUpdate = "com.apple.SoftwareUpdate"

// osUpdatesMac reads what the last search for updates found.
func osUpdatesMac(ctx context.Context, m Machine) outcome {
	searched, err := preference(ctx, m, softwareUpdate, "LastSuccessfulDate")
	if err != nil {
		return cannot("%v", err)
	}
	at, err := time.Parse(time.RFC3339, searched)
	if err != nil {
		return cannot("when updates were last searched for is not known")
	}
	text, err := preference(ctx, m, softwareUpdate, "LastUpdatesAvailable")
	if err != nil {
		return cannot("%v", err)
	}
	waiting, err := strconv.Atoi(text)
	if err != nil || waiting < 0 {
		return cannot("how many updates wait is not known")
	}
	return judgeUpdates(waiting, at, m.Clock())
}
