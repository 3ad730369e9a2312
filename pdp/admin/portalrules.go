package admin

import (
	"context"
	"net/http"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
	"github.com/menshen-zt/menshen/pdp/store"
)

// PortalRules says how requests for a portal are judged.
type PortalRules interface {
	SetPortalRoutes(ctx context.Context, id string, routes []wire.Route) (wire.Portal, error)
	SetPortalTokenFrom(ctx context.Context, id string, networks []string) (wire.Portal, error)
}

// maxRoutes bounds a list of routes in bytes.
const maxRoutes = 512 << 10

func (a *Admin) setPortalRoutes(w http.ResponseWriter, r *http.Request) {
	changePortal(a, w, r, "portal routes", func(ctx context.Context, id string, in client.Routes) (wire.Portal, error) {
		return a.Directory.SetPortalRoutes(ctx, id, in.Routes)
	})
}

func (a *Admin) setPortalTokenFrom(w http.ResponseWriter, r *http.Request) {
	changePortal(a, w, r, "portal tokens", func(ctx context.Context, id string, in client.TokenFrom) (wire.Portal, error) {
		return a.Directory.SetPortalTokenFrom(ctx, id, in.Networks)
	})
}

// changePortal is a change of the portal that the path names.
func changePortal[In any](a *Admin, w http.ResponseWriter, r *http.Request, action string, do func(ctx context.Context, id string, in In) (wire.Portal, error)) {
	var in In
	if !problem.ReadJSON(w, r, maxRoutes, &in) {
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
	what := act{Action: action, Target: p.Origin, Input: in, agency: p.Agency, portal: p.ID}
	change(a, w, r, what, func(ctx context.Context, _ string) (wire.Portal, string, error) {
		out, err := do(ctx, p.ID, in)
		out.SecretHash = nil
		return out, "", err
	})
}
