package appraisal

import (
	"context"
	"fmt"

	"github.com/menshen-zt/menshen/internal/strictjson"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// Baselines returns the reports on configuration baselines in the last claims of
// a device that were accepted. Where there are none the error wraps
// store.ErrNotFound.
func (a *Appraiser) Baselines(ctx context.Context, dev wire.Device) ([]wire.BaselineReport, error) {
	kept := a.recall(ctx, dev)
	if kept == nil {
		return nil, fmt.Errorf("appraisal: nothing is kept of %s: %w", dev.ID, store.ErrNotFound)
	}
	var claims wire.Claims
	if err := strictjson.Unmarshal(kept.Document, &claims); err != nil {
		return nil, fmt.Errorf("appraisal: what is kept of %s: %w", dev.ID, err)
	}
	if len(claims.Baselines) == 0 {
		return nil, fmt.Errorf("appraisal: %s reported no baseline: %w", dev.ID, store.ErrNotFound)
	}
	return claims.Baselines, nil
}
