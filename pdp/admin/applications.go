package admin

import (
	"context"
	"net/http"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
)

// maxApplication bounds an application's files, quoted as JSON.
const maxApplication = 10 << 20

// Applications keeps what portals' applications are judged by. Errors wrap
// store.ErrNotFound and store.ErrConflict, or carry a reason.
type Applications interface {
	Application(portal wire.Portal) (client.Application, error)
	ValidateApplication(files map[string]string) (client.Application, error)
	SetApplication(ctx context.Context, portal wire.Portal, files map[string]string, by string) (client.Application, error)
	RemoveApplication(ctx context.Context, portal wire.Portal) (client.Application, error)
}

// applicationRoutes are the routes of applications' own rules.
func (a *Admin) applicationRoutes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"GET /v1/portals/{id}/application":         a.showApplication,
		"POST /v1/portals/{id}/application":        a.setApplication,
		"POST /v1/portals/{id}/application/remove": a.removeApplication,
		"POST /v1/application/validate":            a.validateApplication,
	}
}

// portalOf returns the portal that the path names, or answers that there is none.
func (a *Admin) portalOf(w http.ResponseWriter, r *http.Request) (wire.Portal, bool) {
	portal, err := a.Directory.Portal(r.Context(), r.PathValue("id"))
	if err != nil {
		a.fail(w, r, r.PathValue("id"), err)
	}
	return portal, err == nil
}

func (a *Admin) showApplication(w http.ResponseWriter, r *http.Request) {
	if portal, ok := a.portalOf(w, r); ok {
		out, err := a.Applications.Application(portal)
		answer(a, w, r, portal.ID, out, err)
	}
}

func (a *Admin) validateApplication(w http.ResponseWriter, r *http.Request) {
	var in client.ApplicationFiles
	if problem.ReadJSON(w, r, maxApplication, &in) {
		out, err := a.Applications.ValidateApplication(in.Files)
		answer(a, w, r, "", out, err)
	}
}

// setApplication records by its version which application was set; the files
// stand in the store.
func (a *Admin) setApplication(w http.ResponseWriter, r *http.Request) {
	var in client.ApplicationFiles
	if !problem.ReadJSON(w, r, maxApplication, &in) {
		return
	}
	portal, ok := a.portalOf(w, r)
	if !ok {
		return
	}
	checked, err := a.Applications.ValidateApplication(in.Files)
	if err != nil {
		a.fail(w, r, portal.ID, err)
		return
	}
	what := act{Action: "application set", Target: portal.ID, Input: checked, agency: portal.Agency, portal: portal.ID}
	change(a, w, r, what, func(ctx context.Context, by string) (client.Application, string, error) {
		out, err := a.Applications.SetApplication(ctx, portal, in.Files, by)
		return out, out.Version, err
	})
}

func (a *Admin) removeApplication(w http.ResponseWriter, r *http.Request) {
	if !empty(w, r) {
		return
	}
	portal, ok := a.portalOf(w, r)
	if !ok {
		return
	}
	what := act{Action: "application remove", Target: portal.ID, agency: portal.Agency, portal: portal.ID}
	change(a, w, r, what, func(ctx context.Context, _ string) (client.Application, string, error) {
		out, err := a.Applications.RemoveApplication(ctx, portal)
		return out, "", err
	})
}
