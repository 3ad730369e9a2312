package pdp

import (
	"context"

	"github.com/menshen-zt/menshen/pdp/appeal"
	"github.com/menshen-zt/menshen/pdp/trust"
)

// erasing are recorded decisions whose erasure takes with it what else is kept
// of a person's words.
type erasing struct {
	adminDecisions
	appeals *appeal.Keeper
	trust   *trust.Trust
}

// Erase implements admin.Decisions.
func (e erasing) Erase(ctx context.Context, person string) (int, error) {
	if _, err := e.appeals.Erase(ctx, person); err != nil {
		return 0, err
	}
	if err := e.trust.Erase(ctx, person); err != nil {
		return 0, err
	}
	return e.adminDecisions.Erase(ctx, person)
}
