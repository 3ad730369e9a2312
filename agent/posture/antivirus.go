package posture

import "time"

// judgeSignatures passes signatures that are not older than permitted.
func judgeSignatures(at, now time.Time, most time.Duration) outcome {
	value := map[string]string{"signatures": at.UTC().Format(time.RFC3339)}
	switch age := now.Sub(at); {
	case age < -time.Hour:
		return cannot("the signatures are of the future")
	case age > most:
		return fails(value, "the signatures are of %s", at.UTC().Format(time.DateOnly))
	}
	return passes(value)
}
