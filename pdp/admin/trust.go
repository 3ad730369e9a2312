package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
	"github.com/menshen-zt/menshen/pdp/store"
)

// Trust is officers' control over the trust inference (requirements 29, 31).
// Errors wrap store.ErrNotFound, or carry a reason.
type Trust interface {
	Override(ctx context.Context, o wire.TrustOverride, by string) (wire.TrustOverride, error)
	Lift(ctx context.Context, agency, id string) (wire.TrustOverride, error)
	Overrides(agency string) []wire.TrustOverride
	// Assessments of a person's sessions by their ids.
	Assessments(personID string) map[string]wire.TrustAssessment
	// Judge says that the sign-in under a decision was, or was not, the person.
	Judge(ctx context.Context, decision string, genuine bool) error
	// Observations that the history keeps, from then on.
	Observations(ctx context.Context, since time.Time, each func(wire.Observation) error) error
	Try(ctx context.Context, trial client.Trial) (client.Shadow, error)
	EndTrial(ctx context.Context) (client.Shadow, error)
	Shadow() client.Shadow
}

func (a *Admin) trustRoutes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"GET /v1/agencies/{agency}/overrides":            a.listOverrides,
		"POST /v1/agencies/{agency}/overrides":           a.addOverride,
		"POST /v1/agencies/{agency}/overrides/{id}/lift": a.liftOverride,
		"GET /v1/people/{name}/trust":                    a.showTrust,
		"POST /v1/decisions/{id}/feedback":               a.judgeSignIn,
		"GET /v1/trust/observations":                     a.exportObservations,
		"GET /v1/trust/shadow":                           a.showShadow,
		"POST /v1/trust/shadow":                          a.tryShadow,
		"POST /v1/trust/shadow/end":                      a.endShadow,
	}
}

func (a *Admin) listOverrides(w http.ResponseWriter, r *http.Request) {
	agency := r.PathValue("agency")
	_, err := a.Directory.Agency(r.Context(), agency)
	answer(a, w, r, agency, listed(a.Trust.Overrides(agency)), err)
}

// subject finds whom an override is about among the agency's own: another
// agency's person or device is not found (invariant 5).
func (a *Admin) subject(ctx context.Context, agency string, in client.NewOverride) (o wire.TrustOverride, err error) {
	o = wire.TrustOverride{Agency: agency, Kind: in.Kind, Session: in.Session, Codes: in.Codes, Reason: in.Reason}
	if in.Minutes > 0 {
		o.Until = a.Clock().Add(time.Duration(min(in.Minutes, 1_000_000)) * time.Minute)
	}
	if in.Person != "" {
		p, err := a.personOf(ctx, agency, in.Person)
		if err != nil {
			return o, err
		}
		o.Person = p.ID
	}
	if in.Device != "" {
		d, err := a.Directory.DeviceByName(ctx, agency, in.Device)
		if err != nil {
			return o, err
		}
		o.Device = d.ID
	}
	return o, nil
}

func (a *Admin) personOf(ctx context.Context, agency, name string) (wire.Person, error) {
	if wire.CheckID(wire.PrefixPerson, name) != nil {
		return a.Directory.PersonByAccount(ctx, agency, name)
	}
	p, err := a.Directory.Person(ctx, name)
	if err == nil && p.Agency != agency {
		return wire.Person{}, store.ErrNotFound
	}
	return p, err
}

func (a *Admin) addOverride(w http.ResponseWriter, r *http.Request) {
	var in client.NewOverride
	if !problem.ReadJSON(w, r, maxBody, &in) {
		return
	}
	agency := r.PathValue("agency")
	if _, err := a.Directory.Agency(r.Context(), agency); err != nil {
		a.fail(w, r, agency, err)
		return
	}
	target := in.Person + in.Device + in.Session
	o, err := a.subject(r.Context(), agency, in)
	if err != nil {
		a.fail(w, r, target, err)
		return
	}
	what := act{Action: "trust override", Target: target, Input: in, agency: agency, person: o.Person, device: o.Device, session: o.Session}
	change(a, w, r, what, func(ctx context.Context, by string) (wire.TrustOverride, string, error) {
		out, err := a.Trust.Override(ctx, o, by)
		return out, out.ID, err
	})
}

func (a *Admin) liftOverride(w http.ResponseWriter, r *http.Request) {
	var in client.Lift
	if !problem.ReadJSON(w, r, maxBody, &in) {
		return
	}
	agency, id := r.PathValue("agency"), r.PathValue("id")
	if len([]rune(in.Reason)) < leastWord || len(in.Reason) > maxReason {
		a.fail(w, r, id, wordMissing{})
		return
	}
	what := act{Action: "trust lift", Target: id, Input: in, agency: agency}
	change(a, w, r, what, func(ctx context.Context, _ string) (wire.TrustOverride, string, error) {
		out, err := a.Trust.Lift(ctx, agency, id)
		return out, "", err
	})
}

// leastWord is the shortest reason, in characters, for what an officer does to
// somebody's trust.
const leastWord = 10

// wordMissing refuses what nobody could explain afterwards.
type wordMissing struct{}

func (wordMissing) Error() string       { return "admin: a reason is needed" }
func (wordMissing) Reason() wire.Reason { return reason.New(reason.OverrideReason) }

func (a *Admin) showTrust(w http.ResponseWriter, r *http.Request) {
	p, err := a.person(r)
	if err != nil {
		a.fail(w, r, r.PathValue("name"), err)
		return
	}
	out := client.PersonTrust{Person: p.ID, Account: p.Account, Sessions: a.Trust.Assessments(p.ID)}
	for _, o := range a.Trust.Overrides(p.Agency) {
		if o.Person == p.ID || out.Sessions[o.Session].Weights != "" {
			out.Overrides = append(out.Overrides, o)
		}
	}
	problem.WriteJSON(w, r, out)
}

// notHeld says that a sign-in is not in the history any more.
type notHeld struct{ error }

func (notHeld) Reason() wire.Reason { return reason.New(reason.FeedbackNotHeld) }

func (a *Admin) judgeSignIn(w http.ResponseWriter, r *http.Request) {
	var in client.Feedback
	if !problem.ReadJSON(w, r, maxBody, &in) {
		return
	}
	id := r.PathValue("id")
	if wire.CheckID(wire.PrefixDecision, id) != nil {
		a.fail(w, r, id, store.ErrNotFound)
		return
	}
	if len([]rune(in.Reason)) < leastWord || len(in.Reason) > maxReason {
		a.fail(w, r, id, wordMissing{})
		return
	}
	change(a, w, r, act{Action: "trust feedback", Target: id, Input: in}, func(ctx context.Context, _ string) (client.Feedback, string, error) {
		err := a.Trust.Judge(ctx, id, in.Genuine)
		if errors.Is(err, store.ErrNotFound) {
			err = notHeld{err}
		}
		return in, "", err
	})
}

// exportObservations streams a line of JSON for each; what breaks off midway
// ends without the last line's end.
func (a *Admin) exportObservations(w http.ResponseWriter, r *http.Request) {
	var since time.Time
	if text := r.URL.Query().Get("since"); text != "" {
		var err error
		if since, err = time.Parse(time.RFC3339, text); err != nil {
			a.fail(w, r, text, store.ErrNotFound)
			return
		}
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := json.NewEncoder(w)
	if err := a.Trust.Observations(r.Context(), since, func(o wire.Observation) error { return out.Encode(o) }); err != nil {
		a.Logger.Error("observations are not exported whole", "error", err)
		panic(http.ErrAbortHandler) // a client must not take it for the whole
	}
}

func (a *Admin) showShadow(w http.ResponseWriter, r *http.Request) {
	problem.WriteJSON(w, r, a.Trust.Shadow())
}

func (a *Admin) tryShadow(w http.ResponseWriter, r *http.Request) {
	var in client.Trial
	if !problem.ReadJSON(w, r, maxTrial, &in) {
		return
	}
	change(a, w, r, act{Action: "trust shadow", Input: in}, func(ctx context.Context, _ string) (client.Shadow, string, error) {
		out, err := a.Trust.Try(ctx, in)
		return out, out.Trial, err
	})
}

// maxTrial bounds a file of weights.
const maxTrial = 64 << 10

func (a *Admin) endShadow(w http.ResponseWriter, r *http.Request) {
	if !empty(w, r) {
		return
	}
	change(a, w, r, act{Action: "trust shadow end"}, func(ctx context.Context, _ string) (client.Shadow, string, error) {
		out, err := a.Trust.EndTrial(ctx)
		return out, "", err
	})
}
