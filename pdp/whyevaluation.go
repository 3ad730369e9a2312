package pdp

import (
	"context"
	"errors"
	"slices"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
	"github.com/menshen-zt/menshen/pdp/store"
)

// whyEvaluation explains an application's request: what it asked, which of its
// own rules answered, and the PDP's own decisions about the sessions.
func (a adminDecisions) whyEvaluation(ctx context.Context, r *wire.AuditRecord) (client.Why, error) {
	w := client.Why{
		Agency: r.Agency, Session: r.Session, Evaluation: new(client.Evaluation),
		Decision: wire.Decision{ID: r.Decision, At: r.At},
	}
	if err := a.name(ctx, r, &w); err != nil {
		return client.Why{}, err
	}
	detail, in, err := a.readEvaluation(ctx, r)
	w.Evaluation.Detail = detail
	var told interface{ Reason() wire.Reason }
	switch {
	case errors.As(err, &told):
		why := told.Reason()
		w.Inputs = &why
		return w, nil
	case err != nil:
		return client.Why{}, err
	}
	if err := a.explainRules(ctx, r, &in, w.Evaluation); err != nil {
		return client.Why{}, err
	}
	for i := range in.Looks {
		looked, err := a.looked(ctx, &in.Looks[i])
		if err != nil {
			return client.Why{}, err
		}
		w.Evaluation.Looks = append(w.Evaluation.Looks, looked)
	}
	return w, nil
}

// explainRules tells where the application's own policies stand.
func (a adminDecisions) explainRules(ctx context.Context, r *wire.AuditRecord, in *wire.EvaluationInputs, e *client.Evaluation) error {
	if in.Rules == 0 || in.RulesBroken {
		return nil
	}
	portal := wire.Portal{ID: r.Portal, Agency: r.Agency}
	kept, err := a.rulesOf(ctx, portal, in.Rules)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	now := a.rulesNow(r.Portal)
	e.InForce = now != nil && now.Number == in.Rules
	var named []string
	for _, result := range e.Detail.Results {
		for _, id := range result.Policies {
			if slices.Contains(named, id) {
				continue
			}
			named = append(named, id)
			place := client.PolicyPlace{ID: id}
			if kept != nil {
				if place.File, place.Line = kept.Loaded.Place(id); place.File == "" {
					continue // the access policy's: its looks tell of it
				}
			}
			e.Policies = append(e.Policies, place)
		}
	}
	return nil
}

// looked explains the PDP's own decision about a session.
func (a adminDecisions) looked(ctx context.Context, look *wire.Look) (client.Looked, error) {
	out := client.Looked{Session: look.Session, Class: look.Class, Why: look.Why}
	if look.Decided == nil {
		return out, nil
	}
	var err error
	facts := &look.Decided.Facts
	if out.Person, out.Device, err = a.whose(ctx, facts.Person.ID, facts.Device.ID); err != nil {
		return out, err
	}
	out.Decision, err = a.judge(ctx, look.Decided)
	var gone interface{ Reason() wire.Reason } // the policy set is not kept: what it decided is not known here
	if errors.As(err, &gone) {
		why := gone.Reason()
		out.Why = &why
		return out, nil
	}
	if err != nil {
		return out, err
	}
	out.Policies, out.InForce, err = a.places(ctx, &out.Decision)
	return out, err
}
