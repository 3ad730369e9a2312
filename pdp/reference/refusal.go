package reference

import (
	"net/http"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Refusal is an error that an administrator can read.
type Refusal struct{ Why wire.Reason }

func (r *Refusal) Error() string {
	return "reference: " + r.Why.Code + ": " + reason.Of(reason.English, r.Why).What
}

// Reason returns what to tell the administrator.
func (r *Refusal) Reason() wire.Reason { return r.Why }

// Status is the HTTP status: a conflict where the request is good but for the
// state of what it names.
func (r *Refusal) Status() int {
	switch r.Why.Code {
	case reason.RefVersionFell, reason.RefState, reason.RefSameApprover, reason.RefSignerInUse:
		return http.StatusConflict
	}
	return http.StatusBadRequest
}

func refuse(code string, args ...string) error { return &Refusal{Why: reason.New(code, args...)} }
