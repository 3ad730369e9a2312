package admin

import (
	"context"
	"errors"
	"net/http"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// fail answers err for the entry that was named.
func (a *Admin) fail(w http.ResponseWriter, r *http.Request, what string, err error) {
	var told interface{ Reason() wire.Reason }
	switch {
	case errors.As(err, &told):
		problem.Write(w, r, statusOf(told), told.Reason())
	case errors.Is(err, errExists):
		problem.Write(w, r, http.StatusConflict, reason.New(reason.CfgExists, "what", what))
	case errors.Is(err, store.ErrNotFound):
		problem.Write(w, r, http.StatusNotFound, reason.New(reason.CfgNotFound, "what", what))
	case errors.Is(err, store.ErrConflict):
		problem.Write(w, r, http.StatusConflict, reason.New(reason.CfgState, "what", what))
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrIndeterminate),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		problem.Write(w, r, http.StatusServiceUnavailable, reason.New(reason.Unavailable))
	default:
		a.Logger.Error("administration failed", "path", r.URL.Path, "error", err)
		problem.Write(w, r, http.StatusInternalServerError, reason.New(reason.Internal))
	}
}

func statusOf(told interface{ Reason() wire.Reason }) int {
	if s, ok := told.(interface{ Status() int }); ok {
		return s.Status()
	}
	if told.Reason().Code == reason.AuditClosed {
		return http.StatusServiceUnavailable
	}
	return http.StatusBadRequest
}

// errExists marks a conflict of something that was to be made: a name is taken.
var errExists = errors.New("admin: exists already")

// made marks a conflict while something was made.
func made[T any](value T, err error) (T, error) {
	if errors.Is(err, store.ErrConflict) {
		err = errors.Join(errExists, err)
	}
	return value, err
}
