package posture

import (
	"context"
	"strconv"
	"time"
)

const softwareUpdate = "com.apple.SoftwareUpdate"

// updateSearchLife is how old the last search for updates may be.
const updateSearchLife = 7 * 24 * time.Hour

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

// judgeUpdates passes where a search not long ago found nothing to install.
func judgeUpdates(waiting int, searched, now time.Time) outcome {
	value := map[string]string{"waiting": strconv.Itoa(waiting), "searched": searched.UTC().Format(time.RFC3339)}
	switch age := now.Sub(searched); {
	case age > updateSearchLife:
		return fails(value, "updates were last searched for on %s", searched.UTC().Format(time.DateOnly))
	case age < -time.Hour:
		return cannot("the last search for updates lies in the future")
	case waiting > 0:
		return fails(value, "%d updates wait", waiting)
	}
	return passes(value)
}
