package admin

import (
	"context"
	"net/http"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
)

// Appeals keeps what people say against decisions. Errors wrap
// store.ErrNotFound, or carry a reason.
type Appeals interface {
	List(agency string) []wire.Appeal
	Appeal(agency, id string) (wire.Appeal, error)
	Answer(ctx context.Context, agency, id string, outcome wire.AppealOutcome, answer, by string) (wire.Appeal, error)
}

func (a *Admin) appealRoutes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"GET /v1/agencies/{agency}/appeals":              a.listAppeals,
		"GET /v1/agencies/{agency}/appeals/{id}":         a.showAppeal,
		"POST /v1/agencies/{agency}/appeals/{id}/answer": a.answerAppeal,
	}
}

func (a *Admin) listAppeals(w http.ResponseWriter, r *http.Request) {
	agency := r.PathValue("agency")
	_, err := a.Directory.Agency(r.Context(), agency)
	answer(a, w, r, agency, listed(a.Appeals.List(agency)), err)
}

// showAppeal answers an appeal with the record that it is about attached.
func (a *Admin) showAppeal(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	one, err := a.Appeals.Appeal(r.PathValue("agency"), id)
	if err != nil {
		a.fail(w, r, id, err)
		return
	}
	out := client.AppealWithRecord{Appeal: one}
	out.Why, err = a.Decisions.Why(r.Context(), one.Decision)
	answer(a, w, r, id, out, err)
}

func (a *Admin) answerAppeal(w http.ResponseWriter, r *http.Request) {
	var in client.AppealAnswer
	if !problem.ReadJSON(w, r, maxBody, &in) {
		return
	}
	agency, id := r.PathValue("agency"), r.PathValue("id")
	one, err := a.Appeals.Appeal(agency, id)
	if err != nil {
		a.fail(w, r, id, err)
		return
	}
	// The answer's words stay where they can be erased.
	what := act{Action: "appeal answer", Target: id, Input: map[string]wire.AppealOutcome{"outcome": in.Outcome}, agency: agency, person: one.Person}
	change(a, w, r, what, func(ctx context.Context, by string) (wire.Appeal, string, error) {
		out, err := a.Appeals.Answer(ctx, agency, id, in.Outcome, in.Answer, by)
		return out, "", err
	})
}
