package posture

import (
	"errors"
	"time"
)

// recordedAt is when machines of other systems were recorded.
var recordedAt = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// errSilent is what an interface gives that does not answer.
var errSilent = errors.New("no answer")
