package admin

import (
	"context"
	"net/http"

	"github.com/menshen-zt/menshen/internal/wire"
)

// SigningKeys are the agencies' keys for access tokens.
type SigningKeys interface {
	// Withdraw takes an agency's keys out of use at once.
	Withdraw(agency string) error
}

func (a *Admin) withdrawKeys(w http.ResponseWriter, r *http.Request) {
	if !empty(w, r) {
		return
	}
	agency := r.PathValue("agency")
	found, err := a.Directory.Agency(r.Context(), agency)
	if err != nil {
		a.fail(w, r, agency, err)
		return
	}
	what := act{Action: "agency withdraw-keys", Target: found.ID, Input: struct{}{}, agency: found.ID}
	change(a, w, r, what, func(context.Context, string) (wire.Agency, string, error) {
		return found, "", a.SigningKeys.Withdraw(found.ID)
	})
}
