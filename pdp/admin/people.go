package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
)

func (a *Admin) listAgencies(w http.ResponseWriter, r *http.Request) {
	all, err := a.Directory.Agencies(r.Context())
	answer(a, w, r, "agencies", listed(all), err)
}

func (a *Admin) createAgency(w http.ResponseWriter, r *http.Request) {
	var in wire.Agency
	if !problem.ReadJSON(w, r, maxBody, &in) {
		return
	}
	what := act{Action: "agency create", Target: in.ID, Input: in, agency: in.ID}
	change(a, w, r, what, func(ctx context.Context, _ string) (wire.Agency, string, error) {
		out, err := made(a.Directory.CreateAgency(ctx, in))
		return out, out.ID, err
	})
}

func (a *Admin) listPeople(w http.ResponseWriter, r *http.Request) {
	agency := r.PathValue("agency")
	if _, err := a.Directory.Agency(r.Context(), agency); err != nil {
		a.fail(w, r, agency, err)
		return
	}
	people, err := a.Directory.People(r.Context(), agency)
	for i := range people {
		people[i] = shown(people[i])
	}
	answer(a, w, r, agency, listed(people), err)
}

func (a *Admin) createPerson(w http.ResponseWriter, r *http.Request) {
	var in client.NewPerson
	if !problem.ReadJSON(w, r, maxBody, &in) {
		return
	}
	agency := r.PathValue("agency")
	if _, err := a.Directory.Agency(r.Context(), agency); err != nil {
		a.fail(w, r, agency, err)
		return
	}
	what := act{Action: "person create", Target: in.Account, Input: in, agency: agency}
	change(a, w, r, what, func(ctx context.Context, _ string) (wire.Person, string, error) {
		out, err := made(a.Directory.CreatePerson(ctx, wire.Person{Agency: agency, Name: in.Name, Account: in.Account, Groups: in.Groups, Admin: in.Admin}))
		return shown(out), out.ID, err
	})
}

// shown leaves out the WebAuthn handle, which concerns browsers alone.
func shown(p wire.Person) wire.Person {
	p.Handle = nil
	return p
}

// person finds who is named: by id, or by account in the query's agency.
func (a *Admin) person(r *http.Request) (wire.Person, error) {
	name := r.PathValue("name")
	if wire.CheckID(wire.PrefixPerson, name) == nil {
		return a.Directory.Person(r.Context(), name)
	}
	return a.Directory.PersonByAccount(r.Context(), r.URL.Query().Get("agency"), name)
}

func (a *Admin) showPerson(w http.ResponseWriter, r *http.Request) {
	p, err := a.person(r)
	if err != nil {
		a.fail(w, r, r.PathValue("name"), err)
		return
	}
	keys, err := a.Directory.Keys(r.Context(), p.ID)
	answer(a, w, r, p.ID, client.Person{Person: shown(p), Keys: keys}, err)
}

func (a *Admin) setDisabled(disabled bool) http.HandlerFunc {
	action := map[bool]string{true: "person disable", false: "person enable"}[disabled]
	return func(w http.ResponseWriter, r *http.Request) {
		a.personChange(w, r, action, func(ctx context.Context, p wire.Person) (any, error) {
			out, err := a.Directory.SetDisabled(ctx, p.ID, disabled)
			return shown(out), err
		})
	}
}

func (a *Admin) revokePerson(w http.ResponseWriter, r *http.Request) {
	a.personChange(w, r, "session revoke", func(ctx context.Context, p wire.Person) (any, error) {
		n, err := a.Sessions.RevokePerson(ctx, p.ID)
		return client.Revoked{Sessions: n}, err
	})
}

// personChange is a change of the person that the path names, with nothing
// else to say.
func (a *Admin) personChange(w http.ResponseWriter, r *http.Request, action string, do func(ctx context.Context, p wire.Person) (any, error)) {
	if !empty(w, r) {
		return
	}
	p, err := a.person(r)
	if err != nil {
		a.fail(w, r, r.PathValue("name"), err)
		return
	}
	what := act{Action: action, Target: p.Account, agency: p.Agency, person: p.ID}
	change(a, w, r, what, func(ctx context.Context, _ string) (any, string, error) {
		out, err := do(ctx, p)
		return out, "", err
	})
}

func (a *Admin) linkPerson(w http.ResponseWriter, r *http.Request) {
	var in client.NewLink
	if !problem.ReadJSON(w, r, maxBody, &in) {
		return
	}
	p, err := a.person(r)
	if err != nil {
		a.fail(w, r, r.PathValue("name"), err)
		return
	}
	life, err := lifeOf(in.LifeSeconds)
	if err != nil {
		a.fail(w, r, p.Account, err)
		return
	}
	what := act{Action: "person link", Target: p.Account, Input: in, agency: p.Agency, person: p.ID}
	change(a, w, r, what, func(ctx context.Context, _ string) (client.Link, string, error) {
		expires := a.Clock().UTC().Add(life)
		url, err := a.Links.NewLink(ctx, p.ID, life)
		return client.Link{URL: url, Expires: expires.Truncate(time.Second)}, "", err
	})
}

func (a *Admin) revokeKey(w http.ResponseWriter, r *http.Request) {
	if !empty(w, r) {
		return
	}
	k, err := a.Directory.Key(r.Context(), r.PathValue("id"))
	if err != nil {
		a.fail(w, r, r.PathValue("id"), err)
		return
	}
	what := act{Action: "key revoke", Target: k.ID, agency: k.Agency, person: k.PersonID}
	change(a, w, r, what, func(ctx context.Context, _ string) (wire.SecurityKey, string, error) {
		if err := a.Directory.RevokeKey(ctx, k.ID); err != nil {
			return wire.SecurityKey{}, "", err
		}
		out, err := a.Directory.Key(ctx, k.ID)
		return out, "", err
	})
}
