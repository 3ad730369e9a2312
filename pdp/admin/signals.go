package admin

import (
	"context"
	"crypto/sha256"
	"net/http"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
)

// Receivers keeps who may have an agency's security events. Errors wrap
// store.ErrNotFound, or carry a reason.
type Receivers interface {
	AddReceiver(ctx context.Context, r wire.SignalReceiver, by string) (added wire.SignalReceiver, secret string, err error)
	RemoveReceiver(ctx context.Context, agency, id string) (wire.SignalReceiver, error)
	Receivers(agency string) []wire.SignalReceiver
}

// Sources keeps whose word on risk an agency heeds. Errors wrap
// store.ErrNotFound, or carry a reason.
type Sources interface {
	AddSource(ctx context.Context, s wire.SignalSource, by string) (added wire.SignalSource, secret string, err error)
	RemoveSource(ctx context.Context, agency, id string) (wire.SignalSource, error)
	Sources(agency string) []wire.SignalSource
}

func (a *Admin) signalRoutes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"GET /v1/agencies/{agency}/receivers":              a.listReceivers,
		"POST /v1/agencies/{agency}/receivers":             a.addReceiver,
		"POST /v1/agencies/{agency}/receivers/{id}/remove": a.removeReceiver,
		"GET /v1/agencies/{agency}/sources":                a.listSources,
		"POST /v1/agencies/{agency}/sources":               a.addSource,
		"POST /v1/agencies/{agency}/sources/{id}/remove":   a.removeSource,
	}
}

func (a *Admin) listReceivers(w http.ResponseWriter, r *http.Request) {
	agency := r.PathValue("agency")
	_, err := a.Directory.Agency(r.Context(), agency)
	answer(a, w, r, agency, listed(a.Receivers.Receivers(agency)), err)
}

func (a *Admin) addReceiver(w http.ResponseWriter, r *http.Request) {
	var in client.NewReceiver
	if !problem.ReadJSON(w, r, maxBody, &in) {
		return
	}
	agency := r.PathValue("agency")
	if _, err := a.Directory.Agency(r.Context(), agency); err != nil {
		a.fail(w, r, agency, err)
		return
	}
	what := act{Action: "signal receiver add", Target: in.Name, Input: in, agency: agency}
	change(a, w, r, what, func(ctx context.Context, by string) (client.ReceiverAdded, string, error) {
		added, secret, err := a.Receivers.AddReceiver(ctx, wire.SignalReceiver{Agency: agency, Name: in.Name, Push: in.Push}, by)
		return client.ReceiverAdded{Receiver: added, Secret: secret}, added.ID, err
	})
}

func (a *Admin) removeReceiver(w http.ResponseWriter, r *http.Request) {
	removeNamed(a, w, r, "signal receiver remove", a.Receivers.RemoveReceiver)
}

func (a *Admin) listSources(w http.ResponseWriter, r *http.Request) {
	agency := r.PathValue("agency")
	_, err := a.Directory.Agency(r.Context(), agency)
	answer(a, w, r, agency, listed(a.Sources.Sources(agency)), err)
}

func (a *Admin) addSource(w http.ResponseWriter, r *http.Request) {
	var in client.NewSource
	if !problem.ReadJSON(w, r, maxKeySet, &in) {
		return
	}
	agency := r.PathValue("agency")
	if _, err := a.Directory.Agency(r.Context(), agency); err != nil {
		a.fail(w, r, agency, err)
		return
	}
	// A private key may come by mistake, and is refused: the record has the digest.
	asked := map[string]any{"issuer": in.Issuer, "domains": in.Domains, "life_hours": in.Life, "keys_sha256": wire.HexDigest(sha256.Sum256(in.Keys)), "keys_url": in.KeysURL}
	what := act{Action: "signal source add", Target: in.Name, Input: asked, agency: agency}
	change(a, w, r, what, func(ctx context.Context, by string) (client.SourceAdded, string, error) {
		added, secret, err := a.Sources.AddSource(ctx, wire.SignalSource{
			Agency: agency, Name: in.Name, Issuer: in.Issuer, Keys: in.Keys, KeysURL: in.KeysURL, Domains: in.Domains, Life: in.Life,
		}, by)
		return client.SourceAdded{Source: added, Secret: secret}, added.ID, err
	})
}

func (a *Admin) removeSource(w http.ResponseWriter, r *http.Request) {
	removeNamed(a, w, r, "signal source remove", a.Sources.RemoveSource)
}

// removeNamed takes away what the path names by agency and id.
func removeNamed[Out any](a *Admin, w http.ResponseWriter, r *http.Request, action string, remove func(ctx context.Context, agency, id string) (Out, error)) {
	if !empty(w, r) {
		return
	}
	agency, id := r.PathValue("agency"), r.PathValue("id")
	change(a, w, r, act{Action: action, Target: id, agency: agency}, func(ctx context.Context, _ string) (Out, string, error) {
		out, err := remove(ctx, agency, id)
		return out, "", err
	})
}
