package admin

import (
	"context"
	"net/http"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
)

// repairDevice asks; that the agent was asked is what is done then. How it ended
// is recorded when the agent tells.
func (a *Admin) repairDevice(w http.ResponseWriter, r *http.Request) {
	var in client.NewRepair
	if !problem.ReadJSON(w, r, maxBody, &in) {
		return
	}
	d, err := a.device(r)
	if err != nil {
		a.fail(w, r, r.PathValue("name"), err)
		return
	}
	what := act{Action: "device repair", Target: d.Name, Input: in, agency: d.Agency, device: d.ID}
	change(a, w, r, what, func(_ context.Context, by string) (wire.Repair, string, error) {
		out, err := a.Repairs.Repair(d, in.Claim, by)
		return out, out.ID, err
	})
}

func (a *Admin) showRepair(w http.ResponseWriter, r *http.Request) {
	d, err := a.device(r)
	if err != nil {
		a.fail(w, r, r.PathValue("name"), err)
		return
	}
	id := r.PathValue("id")
	out, err := a.Repairs.RepairOf(d.ID, id)
	answer(a, w, r, id, out, err)
}
