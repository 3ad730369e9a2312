package audit

import (
	"errors"
	"fmt"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// ErrClosed is returned when a record cannot be made durable. It wraps the
// cause. The record may still turn up in the log if the disk failed while it
// was written; nobody was told that it is there.
var ErrClosed = errors.New("audit: the log cannot be written")

// ErrInvalid is returned for a record that the log does not take: of an unknown
// kind, or too large.
var ErrInvalid = errors.New("audit: not a record")

// ErrLocked is returned when another process writes the log.
var ErrLocked = errors.New("audit: another process writes this log")

// ClockBehindError says that the clock shows a time before the newest that the
// log holds. What expired could come back to life, so nothing is decided.
type ClockBehindError struct {
	Now, Last time.Time
}

func (e *ClockBehindError) Error() string {
	return fmt.Sprintf("audit: the clock shows %s, but the log was written at %s",
		e.Now.UTC().Format(time.RFC3339), e.Last.UTC().Format(time.RFC3339))
}

// Reason returns what to tell the administrator.
func (e *ClockBehindError) Reason() wire.Reason {
	return reason.New(reason.ClockBehind,
		"now", e.Now.UTC().Format(time.RFC3339), "last", e.Last.UTC().Format(time.RFC3339))
}

// BreakError is the first place where a log is not what was written.
type BreakError struct {
	File string // name in the log's folder
	Line int    // from 1; 0 for the file as a whole
	Why  string
}

func (e *BreakError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("audit: %s: %s", e.File, e.Why)
	}
	return fmt.Sprintf("audit: %s, line %d: %s", e.File, e.Line, e.Why)
}

// Reason returns what to tell the administrator.
func (e *BreakError) Reason() wire.Reason {
	return reason.New(reason.AuditBroken, "place", fmt.Sprintf("%s:%d", e.File, e.Line), "why", e.Why)
}
