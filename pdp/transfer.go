package pdp

import (
	"context"
	"errors"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
	"github.com/menshen-zt/menshen/pdp/appraisal"
	"github.com/menshen-zt/menshen/pdp/directory"
	"github.com/menshen-zt/menshen/pdp/store"
)

// transfers moves a device's record and its counters in one transaction.
type transfers struct {
	names     *directory.Directory
	appraisal *appraisal.Appraiser
}

// TransferDevice implements admin.Transfers.
func (t transfers) TransferDevice(ctx context.Context, id string, to client.Transfer) (wire.Device, error) {
	var begun string
	made, err := t.names.TransferDevice(ctx, directory.Transfer{
		ID: id, Agency: to.Agency, Name: to.Name, Why: to.Reason,
		Carry: func(ctx context.Context, old, made wire.Device) ([]store.Compare, []store.Op, error) {
			begun = made.ID
			return t.appraisal.Inherit(ctx, old, made)
		},
	})
	if err != nil && begun != "" && !errors.Is(err, store.ErrIndeterminate) {
		t.appraisal.Forget(begun)
	}
	return made, err
}
