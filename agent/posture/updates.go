package posture

import (
	"strconv"
	"time"
)

// updateSearchLife is how old the last search for updates may be.
const updateSearchLife = 7 * 24 * time.Hour

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
