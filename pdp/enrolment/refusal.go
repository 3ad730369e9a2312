package enrolment

import (
	"errors"
	"fmt"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Refusal is an enrolment that was refused: the agent is told why, and
// nothing was changed.
type Refusal struct {
	why   wire.Reason
	cause error
}

func refuse(cause error, code string, args ...string) *Refusal {
	return &Refusal{why: reason.New(code, args...), cause: cause}
}

func (r *Refusal) Error() string {
	if r.cause == nil {
		return "enrolment: refused: " + r.why.Code
	}
	return fmt.Sprintf("enrolment: refused: %s: %v", r.why.Code, r.cause)
}

// Unwrap returns the cause, nil if the code says it all.
func (r *Refusal) Unwrap() error { return r.cause }

// Reason returns what the agent is told.
func (r *Refusal) Reason() wire.Reason { return r.why }

// ErrUnrecorded is returned when the audit log takes no record: then nothing
// is done. It carries reason.AuditClosed.
var ErrUnrecorded error = unrecorded{}

type unrecorded struct{}

func (unrecorded) Error() string       { return "enrolment: cannot be recorded" }
func (unrecorded) Reason() wire.Reason { return reason.New(reason.AuditClosed) }

func asRefusal(err error) (*Refusal, bool) {
	var r *Refusal
	return r, errors.As(err, &r)
}
