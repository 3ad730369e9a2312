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

// Exceptions keeps what agencies permit to fail. Errors wrap store.ErrNotFound,
// or carry a reason.
type Exceptions interface {
	Add(ctx context.Context, e wire.Exception, by string) (wire.Exception, error)
	Remove(ctx context.Context, agency, id string) (wire.Exception, error)
	List(agency string) []wire.Exception
	For(device wire.Device, now time.Time) (all []wire.Exception, version string)
}

// Baselines knows what devices reported last. A device that reported nothing
// gives an error that wraps store.ErrNotFound.
type Baselines interface {
	Baselines(ctx context.Context, dev wire.Device) ([]wire.BaselineReport, error)
}

func (a *Admin) listExceptions(w http.ResponseWriter, r *http.Request) {
	agency := r.PathValue("agency")
	_, err := a.Directory.Agency(r.Context(), agency)
	answer(a, w, r, agency, listed(a.Exceptions.List(agency)), err)
}

// badDevice names a device that is not the agency's.
type badDevice struct{ name string }

func (b badDevice) Error() string { return "admin: no device " + b.name + " in the agency" }
func (b badDevice) Reason() wire.Reason {
	return reason.New(reason.ExceptionDevice, "device", b.name)
}

func (a *Admin) addException(w http.ResponseWriter, r *http.Request) {
	var in client.NewException
	if !problem.ReadJSON(w, r, maxBody, &in) {
		return
	}
	agency := r.PathValue("agency")
	if _, err := a.Directory.Agency(r.Context(), agency); err != nil {
		a.fail(w, r, agency, err)
		return
	}
	e := wire.Exception{
		Agency: agency, Claim: in.Claim, Baseline: in.Baseline, Rule: in.Rule, Unmeasured: in.Unmeasured, Reason: in.Reason,
		Until: a.Clock().Add(time.Duration(min(max(in.Days, 0), 10_000)) * 24 * time.Hour),
	}
	if in.Device != "" {
		dev, err := a.Directory.DeviceByName(r.Context(), agency, in.Device)
		if err != nil {
			a.fail(w, r, in.Device, badDevice{in.Device})
			return
		}
		e.Device = dev.ID
	}
	what := act{Action: "exception add", Target: string(in.Claim) + in.Rule, Input: in, agency: agency, device: e.Device}
	change(a, w, r, what, func(ctx context.Context, by string) (wire.Exception, string, error) {
		out, err := a.Exceptions.Add(ctx, e, by)
		return out, out.ID, err
	})
}

func (a *Admin) removeException(w http.ResponseWriter, r *http.Request) {
	if !empty(w, r) {
		return
	}
	agency, id := r.PathValue("agency"), r.PathValue("id")
	what := act{Action: "exception remove", Target: id, agency: agency}
	change(a, w, r, what, func(ctx context.Context, _ string) (wire.Exception, string, error) {
		out, err := a.Exceptions.Remove(ctx, agency, id)
		return out, "", err
	})
}

func (a *Admin) showBaselines(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	d, err := a.device(r)
	if err != nil {
		a.fail(w, r, name, err)
		return
	}
	out := client.BaselineReports{Device: d.Name, At: a.Standings.Standing(d.ID).Result.IssuedAt}
	out.Exceptions, _ = a.Exceptions.For(d, a.Clock())
	out.Exceptions = listed(out.Exceptions)
	out.Reports, err = a.Baselines.Baselines(r.Context(), d)
	answer(a, w, r, name, out, err)
}
