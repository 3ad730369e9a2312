package admin

import (
	"context"
	"net/http"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
	"github.com/menshen-zt/menshen/pdp/store"
)

func (a *Admin) listSessions(w http.ResponseWriter, r *http.Request) {
	person := r.URL.Query().Get("person")
	if person != "" && wire.CheckID(wire.PrefixPerson, person) != nil {
		a.fail(w, r, person, store.ErrNotFound)
		return
	}
	problem.WriteJSON(w, r, listed(a.Sessions.Sessions(person)))
}

func (a *Admin) revokeSession(w http.ResponseWriter, r *http.Request) {
	if !empty(w, r) {
		return
	}
	id := r.PathValue("id")
	if wire.CheckID(wire.PrefixSession, id) != nil {
		a.fail(w, r, id, store.ErrNotFound)
		return
	}
	change(a, w, r, act{Action: "session revoke", Target: id, session: id}, func(ctx context.Context, _ string) (client.Revoked, string, error) {
		if err := a.Sessions.Revoke(ctx, id); err != nil {
			return client.Revoked{}, "", err
		}
		return client.Revoked{Sessions: 1}, "", nil
	})
}

func (a *Admin) showDecision(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if wire.CheckID(wire.PrefixDecision, id) != nil {
		a.fail(w, r, id, store.ErrNotFound)
		return
	}
	records, err := a.Decisions.Decision(r.Context(), id)
	if err == nil && len(records) == 0 {
		err = store.ErrNotFound
	}
	answer(a, w, r, id, records, err)
}

func (a *Admin) showStatus(w http.ResponseWriter, r *http.Request) {
	problem.WriteJSON(w, r, a.Status(r.Context()))
}
