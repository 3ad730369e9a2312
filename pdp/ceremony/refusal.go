package ceremony

import (
	"context"
	"errors"
	"net/http"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// Refusal says no, with the reason that a person may see and the status that
// an HTTP answer carries. Callers in other packages read it by errors.As on an
// interface with Reason and Status.
type Refusal struct {
	status int
	why    wire.Reason
	cause  error // for the log only
}

// Error names the code and the cause.
func (r *Refusal) Error() string {
	if r.cause == nil {
		return "ceremony: refused: " + r.why.Code
	}
	return "ceremony: refused: " + r.why.Code + ": " + r.cause.Error()
}

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.cause }

// Reason returns the reason that a person may see.
func (r *Refusal) Reason() wire.Reason { return r.why }

// Status returns the HTTP status of the answer.
func (r *Refusal) Status() int { return r.status }

func refuse(code string, cause error) *Refusal {
	return &Refusal{status: http.StatusForbidden, why: reason.New(code), cause: cause}
}

func refuseWith(status int, code string, cause error) *Refusal {
	return &Refusal{status: status, why: reason.New(code), cause: cause}
}

// asRefusal makes an answer of any error: what is not a refusal is the
// system's own fault and refuses all the same.
func asRefusal(err error) *Refusal {
	var r *Refusal
	switch {
	case errors.As(err, &r):
		return r
	case errors.Is(err, errNotRecorded):
		return refuseWith(http.StatusServiceUnavailable, reason.AuditClosed, err)
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrIndeterminate),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return refuseWith(http.StatusServiceUnavailable, reason.Unavailable, err)
	default:
		return refuseWith(http.StatusInternalServerError, reason.Internal, err)
	}
}

func (c *Ceremony) answerRefusal(w http.ResponseWriter, r *http.Request, step string, err error) {
	refusal := asRefusal(err)
	level := c.logger.InfoContext
	if refusal.status >= http.StatusInternalServerError {
		level = c.logger.ErrorContext
	}
	level(r.Context(), "ceremony refused", "step", step, "code", refusal.why.Code, "error", refusal.Error())
	problem.Write(w, r, refusal.status, refusal.why)
}
