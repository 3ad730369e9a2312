package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
)

func (a *Admin) listPortals(w http.ResponseWriter, r *http.Request) {
	agency := r.PathValue("agency")
	if _, err := a.Directory.Agency(r.Context(), agency); err != nil {
		a.fail(w, r, agency, err)
		return
	}
	portals, err := a.Directory.Portals(r.Context(), agency)
	for i := range portals {
		portals[i].SecretHash = nil
	}
	answer(a, w, r, agency, listed(portals), err)
}

func (a *Admin) createPortal(w http.ResponseWriter, r *http.Request) {
	var in client.NewPortal
	if !problem.ReadJSON(w, r, maxBody, &in) {
		return
	}
	agency := r.PathValue("agency")
	if _, err := a.Directory.Agency(r.Context(), agency); err != nil {
		a.fail(w, r, agency, err)
		return
	}
	what := act{Action: "portal create", Target: in.Origin, Input: in, agency: agency}
	change(a, w, r, what, func(ctx context.Context, _ string) (client.PortalCreated, string, error) {
		p, secret, err := a.Directory.CreatePortal(ctx, wire.Portal{
			Agency: agency, NameZH: in.NameZH, NameEN: in.NameEN, Origin: in.Origin, Sensitivity: in.Sensitivity,
		})
		p.SecretHash = nil
		out, err := made(client.PortalCreated{Portal: p, Secret: secret}, err)
		return out, p.ID, err
	})
}

func (a *Admin) issueCode(w http.ResponseWriter, r *http.Request) {
	var in client.NewCode
	if !problem.ReadJSON(w, r, maxBody, &in) {
		return
	}
	agency := r.PathValue("agency")
	if _, err := a.Directory.Agency(r.Context(), agency); err != nil {
		a.fail(w, r, agency, err)
		return
	}
	life, err := lifeOf(in.LifeSeconds)
	if err != nil {
		a.fail(w, r, in.DeviceName, err)
		return
	}
	what := act{Action: "device code", Target: in.DeviceName, Input: in, agency: agency}
	change(a, w, r, what, func(ctx context.Context, by string) (client.Code, string, error) {
		expires := a.Clock().UTC().Add(life)
		issue := a.Codes.IssueCode
		if in.Replace {
			issue = a.Codes.IssueReplacement
		}
		code, err := issue(ctx, agency, in.DeviceName, by, life)
		return client.Code{Code: code, Expires: expires.Truncate(time.Second)}, "", err
	})
}

func (a *Admin) listDevices(w http.ResponseWriter, r *http.Request) {
	agency := r.PathValue("agency")
	if _, err := a.Directory.Agency(r.Context(), agency); err != nil {
		a.fail(w, r, agency, err)
		return
	}
	devices, err := a.Directory.Devices(r.Context(), agency)
	all := make([]client.Device, len(devices))
	for i, d := range devices {
		all[i] = client.Device{Device: d, Standing: a.Standings.Standing(d.ID)}
		all[i].Standing.Result.Claims = nil // only where one device is shown
	}
	answer(a, w, r, agency, all, err)
}

// device finds what is named: by id, or by name in the query's agency.
func (a *Admin) device(r *http.Request) (wire.Device, error) {
	name := r.PathValue("name")
	if wire.CheckID(wire.PrefixDevice, name) == nil {
		return a.Directory.Device(r.Context(), name)
	}
	return a.Directory.DeviceByName(r.Context(), r.URL.Query().Get("agency"), name)
}

func (a *Admin) showDevice(w http.ResponseWriter, r *http.Request) {
	d, err := a.device(r)
	answer(a, w, r, r.PathValue("name"), client.Device{Device: d, Standing: a.Standings.Standing(d.ID)}, err)
}

func (a *Admin) approveDevice(w http.ResponseWriter, r *http.Request) {
	a.deviceChange(w, r, "device approve", a.Directory.ApproveDevice)
}

func (a *Admin) retireDevice(w http.ResponseWriter, r *http.Request) {
	a.deviceChange(w, r, "device retire", a.Directory.RetireDevice)
}

func (a *Admin) deviceChange(w http.ResponseWriter, r *http.Request, action string, do func(context.Context, string) (wire.Device, error)) {
	if !empty(w, r) {
		return
	}
	d, err := a.device(r)
	if err != nil {
		a.fail(w, r, r.PathValue("name"), err)
		return
	}
	what := act{Action: action, Target: d.Name, agency: d.Agency, device: d.ID}
	change(a, w, r, what, func(ctx context.Context, _ string) (wire.Device, string, error) {
		out, err := do(ctx, d.ID)
		return out, "", err
	})
}

// badLife is a life that no code or link may have.
type badLife struct{}

func (badLife) Error() string       { return "admin: a life must be from one minute to seven days" }
func (badLife) Reason() wire.Reason { return reason.New(reason.CfgLife) }

func lifeOf(seconds int64) (time.Duration, error) {
	if seconds < 60 || seconds > 7*24*60*60 {
		return 0, badLife{}
	}
	return time.Duration(seconds) * time.Second, nil
}
