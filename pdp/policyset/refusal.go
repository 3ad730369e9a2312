package policyset

import (
	"net/http"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Refusal is an error that an officer can read.
type Refusal struct{ Why wire.Reason }

func (r *Refusal) Error() string {
	return "policyset: " + r.Why.Code + ": " + reason.Of(reason.English, r.Why).What
}

// Reason returns what to tell the officer.
func (r *Refusal) Reason() wire.Reason { return r.Why }

// Status is the HTTP status: a conflict where the request is good but for the
// state of what it names.
func (r *Refusal) Status() int {
	switch r.Why.Code {
	case reason.SetExists, reason.SetState, reason.SetSameOfficer, reason.SetOtherProgram, reason.SetNotVerified,
		reason.SetConfirm, reason.SetUntried, reason.SetNoShadow, reason.SetNoEarlier, reason.SetWhatIfBusy:
		return http.StatusConflict
	case reason.SetNoRecords:
		return http.StatusServiceUnavailable
	}
	return http.StatusBadRequest
}

func refuse(code string, args ...string) error { return &Refusal{Why: reason.New(code, args...)} }
