package admin

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
	"github.com/menshen-zt/menshen/pdp/store"
)

// Decisions knows the decisions of the audit log. Errors wrap store.ErrNotFound
// for a decision that is not there, except that Decision then returns nothing.
type Decisions interface {
	// Decision finds a decision's records.
	Decision(ctx context.Context, id string) ([]client.Record, error)
	// Replay computes a decision again.
	Replay(ctx context.Context, id string) (client.Replay, error)
	// Why explains a decision.
	Why(ctx context.Context, id string) (client.Why, error)
	// List searches. The query's names are ids.
	List(ctx context.Context, q client.DecisionQuery) (client.Decisions, error)
	// Rates counts decisions by group; it stops where ctx ends and says so.
	Rates(ctx context.Context, by wire.RatesBy, agency string, since time.Time) (wire.DecisionRates, error)
	// Erase destroys the keys of what was recorded of a person, and says how
	// many that were.
	Erase(ctx context.Context, person string) (int, error)
}

// Bounds of a search, and of the time that it may take.
const (
	maxListed  = 1000
	searchTime = 40 * time.Second
	maxReason  = 500
)

// decisionRoutes are those about recorded decisions.
func (a *Admin) decisionRoutes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"GET /v1/decisions":             a.listDecisions,
		"GET /v1/decisions/rates":       a.showRates,
		"GET /v1/decisions/{id}":        a.showDecision,
		"GET /v1/decisions/{id}/replay": aboutDecision(a, a.Decisions.Replay),
		"GET /v1/decisions/{id}/why":    aboutDecision(a, a.Decisions.Why),
		"POST /v1/people/{name}/erase":  a.erasePerson,
	}
}

func aboutDecision[Out any](a *Admin, tell func(context.Context, string) (Out, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id := r.PathValue("id")
		if wire.CheckID(wire.PrefixDecision, id) != nil {
			a.fail(w, r, id, store.ErrNotFound)
			return
		}
		out, err := tell(r.Context(), id)
		answer(a, w, r, id, out, err)
	}
}

func (a *Admin) listDecisions(w http.ResponseWriter, r *http.Request) {
	q, err := a.decisionQuery(r)
	if err != nil {
		a.fail(w, r, r.URL.RawQuery, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), searchTime)
	defer cancel()
	out, err := a.Decisions.List(ctx, q)
	out.Decisions = listed(out.Decisions)
	answer(a, w, r, "decisions", out, err)
}

// badQuery says what of a search cannot be understood.
type badQuery struct{ what string }

func (b badQuery) Error() string       { return "admin: " + b.what }
func (b badQuery) Reason() wire.Reason { return reason.New(reason.BadRequest, "detail", b.what) }

// decisionQuery reads a search, with ids for the names that it holds.
func (a *Admin) decisionQuery(r *http.Request) (q client.DecisionQuery, err error) {
	v := r.URL.Query()
	q = client.DecisionQuery{Agency: v.Get("agency"), Person: v.Get("person"), Device: v.Get("device"), Portal: v.Get("portal"), Effect: v.Get("effect")}
	if q.Since, err = time.Parse(time.RFC3339, v.Get("since")); err != nil {
		return q, badQuery{"since must be a time (RFC 3339)"}
	}
	if q.Limit, err = strconv.Atoi(v.Get("limit")); err != nil || q.Limit < 1 || q.Limit > maxListed {
		return q, badQuery{"limit must be from 1 to " + strconv.Itoa(maxListed)}
	}
	var effect wire.Effect
	if err := effect.UnmarshalText([]byte(q.Effect)); err != nil || q.Effect != "" && effect.String() != q.Effect {
		return q, badQuery{"effect must be allow, step-up or deny"}
	}
	if q.Person != "" && wire.CheckID(wire.PrefixPerson, q.Person) != nil {
		p, err := a.Directory.PersonByAccount(r.Context(), q.Agency, q.Person)
		if err != nil {
			return q, err
		}
		q.Person, q.Agency = p.ID, ""
	}
	if q.Device != "" && wire.CheckID(wire.PrefixDevice, q.Device) != nil {
		d, err := a.Directory.DeviceByName(r.Context(), v.Get("agency"), q.Device)
		if err != nil {
			return q, err
		}
		q.Device, q.Agency = d.ID, ""
	}
	return q, nil
}

// noReason refuses an erasure that nobody could explain afterwards.
type noReason struct{}

func (noReason) Error() string       { return "admin: an erasure needs a reason" }
func (noReason) Reason() wire.Reason { return reason.New(reason.CfgErasureReason) }

func (a *Admin) erasePerson(w http.ResponseWriter, r *http.Request) {
	var in client.Erasure
	if !problem.ReadJSON(w, r, maxBody, &in) {
		return
	}
	p, err := a.person(r)
	if err != nil {
		a.fail(w, r, r.PathValue("name"), err)
		return
	}
	if strings.TrimSpace(in.Reason) == "" || len(in.Reason) > maxReason {
		a.fail(w, r, p.Account, noReason{})
		return
	}
	what := act{Action: "person erase", Target: p.ID, Input: in, agency: p.Agency, person: p.ID}
	change(a, w, r, what, func(ctx context.Context, _ string) (client.Erased, string, error) {
		n, err := a.Decisions.Erase(ctx, p.ID)
		return client.Erased{Keys: n}, "", err
	})
}
