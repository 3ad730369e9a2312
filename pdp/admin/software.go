package admin

import (
	"context"
	"net/http"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
)

// Inventories knows what software devices have. A device without an inventory
// gives an error that wraps store.ErrNotFound.
type Inventories interface {
	Software(ctx context.Context, dev wire.Device) (client.Software, error)
	Export(ctx context.Context, agency string, wanted func(deviceID string) bool) (client.SoftwareExport, error)
}

func (a *Admin) showSoftware(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	d, err := a.device(r)
	if err != nil {
		a.fail(w, r, name, err)
		return
	}
	out, err := a.Inventories.Software(r.Context(), d)
	out.Device = d.Name
	answer(a, w, r, name, out, err)
}

// exportSoftware counts active devices alone: what was retired runs nowhere.
func (a *Admin) exportSoftware(w http.ResponseWriter, r *http.Request) {
	agency := r.PathValue("agency")
	if _, err := a.Directory.Agency(r.Context(), agency); err != nil {
		a.fail(w, r, agency, err)
		return
	}
	devices, err := a.Directory.Devices(r.Context(), agency)
	if err != nil {
		a.fail(w, r, agency, err)
		return
	}
	active := map[string]bool{}
	for _, d := range devices {
		if d.Status == wire.DeviceActive || d.Status == wire.DeviceQuarantined {
			active[d.ID] = true
		}
	}
	out, err := a.Inventories.Export(r.Context(), agency, func(id string) bool { return active[id] })
	out.Without, out.Assets = len(active)-out.Devices, listed(out.Assets)
	answer(a, w, r, agency, out, err)
}
