package admin

import (
	"context"
	"net/http"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
	"github.com/menshen-zt/menshen/pdp/store"
)

// changeDevice reads In, finds the device that the path names, and has do
// change it. Do returns the id of what it made, if anything.
func changeDevice[In any](a *Admin, w http.ResponseWriter, r *http.Request, action string, do func(ctx context.Context, d wire.Device, in In) (wire.Device, string, error)) {
	var in In
	if !problem.ReadJSON(w, r, maxBody, &in) {
		return
	}
	d, err := a.device(r)
	if err != nil {
		a.fail(w, r, r.PathValue("name"), err)
		return
	}
	what := act{Action: action, Target: d.Name, Input: in, agency: d.Agency, device: d.ID}
	change(a, w, r, what, func(ctx context.Context, _ string) (wire.Device, string, error) { return do(ctx, d, in) })
}

func (a *Admin) quarantineDevice(w http.ResponseWriter, r *http.Request) {
	changeDevice(a, w, r, "device quarantine", func(ctx context.Context, d wire.Device, in client.StatusChange) (wire.Device, string, error) {
		out, err := a.Directory.QuarantineDevice(ctx, d.ID, in.Reason)
		return out, "", err
	})
}

func (a *Admin) releaseDevice(w http.ResponseWriter, r *http.Request) {
	changeDevice(a, w, r, "device release", func(ctx context.Context, d wire.Device, in client.StatusChange) (wire.Device, string, error) {
		out, err := a.Directory.ReleaseDevice(ctx, d.ID, in.Reason)
		return out, "", err
	})
}

func (a *Admin) assignDevice(w http.ResponseWriter, r *http.Request) {
	changeDevice(a, w, r, "device assign", func(ctx context.Context, d wire.Device, in client.Assign) (wire.Device, string, error) {
		var owner wire.Person
		var err error
		switch {
		case in.Person == "":
		case wire.CheckID(wire.PrefixPerson, in.Person) == nil:
			owner, err = a.Directory.Person(ctx, in.Person)
		default:
			owner, err = a.Directory.PersonByAccount(ctx, d.Agency, in.Person)
		}
		if err != nil {
			return wire.Device{}, "", err
		}
		out, err := a.Directory.AssignDevice(ctx, d.ID, owner.ID)
		return out, "", err
	})
}

func (a *Admin) groupDevice(w http.ResponseWriter, r *http.Request) {
	changeDevice(a, w, r, "device group", func(ctx context.Context, d wire.Device, in client.Group) (wire.Device, string, error) {
		out, err := a.Directory.GroupDevice(ctx, d.ID, in.Group)
		return out, "", err
	})
}

func (a *Admin) transferDevice(w http.ResponseWriter, r *http.Request) {
	changeDevice(a, w, r, "device transfer", func(ctx context.Context, d wire.Device, in client.Transfer) (wire.Device, string, error) {
		out, err := made(a.Transfers.TransferDevice(ctx, d.ID, in))
		return out, out.ID, err
	})
}

func (a *Admin) setPortalHosts(w http.ResponseWriter, r *http.Request) {
	var in client.Hosts
	if !problem.ReadJSON(w, r, maxBody, &in) {
		return
	}
	id := r.PathValue("id")
	if wire.CheckID(wire.PrefixPortal, id) != nil {
		a.fail(w, r, id, store.ErrNotFound)
		return
	}
	p, err := a.Directory.Portal(r.Context(), id)
	if err != nil {
		a.fail(w, r, id, err)
		return
	}
	hosts := make([]string, len(in.Devices))
	for i, name := range in.Devices {
		if hosts[i], err = a.hostID(r.Context(), p.Agency, name); err != nil {
			a.fail(w, r, name, err)
			return
		}
	}
	what := act{Action: "portal hosts", Target: p.Origin, Input: client.Hosts{Devices: hosts}, agency: p.Agency, portal: p.ID}
	change(a, w, r, what, func(ctx context.Context, _ string) (wire.Portal, string, error) {
		out, err := a.Directory.SetPortalHosts(ctx, p.ID, hosts)
		out.SecretHash = nil
		return out, "", err
	})
}

// hostID finds a device by its id, or by its name in the portal's agency.
func (a *Admin) hostID(ctx context.Context, agency, name string) (string, error) {
	if wire.CheckID(wire.PrefixDevice, name) == nil {
		return name, nil
	}
	d, err := a.Directory.DeviceByName(ctx, agency, name)
	return d.ID, err
}
