package pdp

import (
	"context"
	"log/slog"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
	"github.com/menshen-zt/menshen/pdp/inventory"
	"github.com/menshen-zt/menshen/pdp/store"
)

// newInventory opens the devices' inventories with the configured names and feed.
func newInventory(c InventoryConfig, s store.Store, logger *slog.Logger) (*inventory.Library, error) {
	names, err := inventory.LoadNames(c.Names)
	if err != nil {
		return nil, err
	}
	return inventory.New(inventory.Config{Store: s, Names: names, Clock: time.Now, Logger: logger, Feed: c.Feed})
}

// adminInventories is what administration sees of the inventories.
type adminInventories struct{ *inventory.Library }

// Software implements admin.Inventories.
func (i adminInventories) Software(ctx context.Context, dev wire.Device) (client.Software, error) {
	in, digest, at, err := i.Library.Software(ctx, dev)
	if err != nil {
		return client.Software{}, err
	}
	found, err := i.Vulnerabilities(ctx, dev)
	return client.Software{At: at, Digest: digest, Inventory: in, Vulnerabilities: found}, err
}

// Export implements admin.Inventories.
func (i adminInventories) Export(ctx context.Context, agency string, wanted func(string) bool) (client.SoftwareExport, error) {
	all, err := i.Library.Export(ctx, agency, wanted)
	out := client.SoftwareExport{Agency: all.Agency, At: all.At, Devices: all.Devices}
	for _, a := range all.Assets {
		out.Assets = append(out.Assets, client.Asset(a))
	}
	return out, err
}
