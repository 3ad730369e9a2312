package agent

import (
	"context"
	"errors"
	"slices"

	"github.com/menshen-zt/menshen/agent/inventory"
	"github.com/menshen-zt/menshen/internal/wire"
)

// listSoftware names the installed software by its digest in the claims. A list
// that cannot be read is left out, which the PDP tells.
func (a *Agent) listSoftware(ctx context.Context, claims *wire.Claims) {
	list, err := a.software.Read(ctx)
	if err != nil {
		if !errors.Is(err, inventory.ErrNone) {
			a.logger.Warn("the software cannot be listed", "error", err)
		}
		return
	}
	claims.Inventory = list.Digest[:]
}

// sendSoftware sends the list when the PDP does not have it, and has it judged.
func (a *Agent) sendSoftware(ctx context.Context, d *device, wants []wire.Want) {
	if !slices.Contains(wants, wire.WantInventory) {
		return
	}
	list, err := a.software.Read(ctx)
	if err == nil {
		err = d.client.SendInventory(ctx, list.Raw)
	}
	if err != nil {
		a.logger.Warn("the list of software was not sent", "error", err)
		return
	}
	a.logger.Info("the list of software was sent", "entries", list.Count)
	a.trigger("the list of software was sent")
}
