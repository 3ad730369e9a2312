package pdp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
	"github.com/menshen-zt/menshen/pdp/authzen"
	"github.com/menshen-zt/menshen/pdp/recorded"
	"github.com/menshen-zt/menshen/pdp/session"
	"github.com/menshen-zt/menshen/pdp/store"
)

// maxOwners bounds the persons under whose keys one record is sealed.
const maxOwners = 8

// evaluationInputs seals what applications' requests were answered from.
type evaluationInputs struct{ *recorded.Keeper }

// Seal implements authzen.Inputs: a box for each owner, one within the other,
// so that without any one of their keys nothing can be read.
func (e evaluationInputs) Seal(ctx context.Context, agency string, owners []string, decision string, canonical []byte) (sealed wire.SealedInputs, err error) {
	if len(owners) > maxOwners {
		return sealed, fmt.Errorf("%w: of %d persons", authzen.ErrTooLarge, len(owners))
	}
	for n, owner := range owners {
		if n > 0 {
			if canonical, err = json.Marshal(sealed); err != nil {
				return sealed, fmt.Errorf("pdp: %w", err)
			}
		}
		sealed, err = e.Keeper.Seal(ctx, agency, owner, decision, canonical)
		if errors.Is(err, recorded.ErrTooLarge) {
			return sealed, fmt.Errorf("%w: %w", authzen.ErrTooLarge, err)
		}
		if err != nil {
			return sealed, err
		}
	}
	return sealed, nil
}

// openFor opens a record's boxes, the last owner's first.
func openFor(ctx context.Context, keys *recorded.Keeper, r *wire.AuditRecord, owners []string) (canonical []byte, err error) {
	sealed := *r.Inputs
	for n := len(owners) - 1; n >= 0; n-- {
		if canonical, err = keys.Open(ctx, r.Agency, owners[n], r.Decision, sealed); err != nil {
			return nil, err
		}
		if n > 0 {
			sealed = wire.SealedInputs{}
			if err := json.Unmarshal(canonical, &sealed); err != nil {
				return nil, fmt.Errorf("%w: %w", recorded.ErrForged, err)
			}
		}
	}
	return canonical, nil
}

// readEvaluation opens the record of an application's request.
func (h *history) readEvaluation(ctx context.Context, r *wire.AuditRecord) (d wire.EvaluationDetail, in wire.EvaluationInputs, err error) {
	if err := json.Unmarshal(r.Detail, &d); err != nil {
		return d, in, unopened{reason.New(reason.InputsForged), err}
	}
	if d.Unsealed != "" {
		return d, in, unopened{reason.New(reason.InputsTooLarge), errNoInputs}
	}
	canonical, err := h.open(ctx, r, authzen.Owners(r, &d), d.InputsDigest)
	if err != nil {
		return d, in, err
	}
	if err := json.Unmarshal(canonical, &in); err != nil {
		return d, in, unopened{reason.New(reason.InputsForged), err}
	}
	return d, in, nil
}

// replayEvaluation answers an application's request once more: about sessions by
// what was known of them, under the policy set and the application's rules of
// then. What is compared is the record's detail.
func (h *history) replayEvaluation(ctx context.Context, r *wire.AuditRecord, answer client.Replay) (client.Replay, error) {
	answer.Recorded = r.Detail
	d, in, err := h.readEvaluation(ctx, r)
	if err == nil {
		for _, b := range d.Basis {
			if b.Policy != "" {
				answer.PolicyVersion = b.Policy
			}
		}
		var judge *arbiter
		if judge, err = h.recall(ctx, r, &in); err == nil {
			answer.Computed, err = h.again(ctx, judge, &wire.Portal{ID: r.Portal, Agency: r.Agency}, &in, d.InputsDigest)
		}
	}
	var why interface{ Reason() wire.Reason }
	switch {
	case errors.As(err, &why):
		return answer.Told(why.Reason()), nil
	case err != nil:
		return client.Replay{}, err
	case !bytes.Equal(answer.Computed, answer.Recorded):
		return answer.Told(reason.New(reason.ReplayDiffers)), nil
	}
	answer.Same = true
	return answer, nil
}

// recall returns a judge that knows what was known when a request was answered.
func (h *history) recall(ctx context.Context, r *wire.AuditRecord, in *wire.EvaluationInputs) (*arbiter, error) {
	known := recalled{looks: map[asked]session.Inquired{}}
	for _, look := range in.Looks {
		key, seen := asked{session: look.Session, grade: look.Grade, class: look.Class}, session.Inquired{}
		if look.From != "" {
			from, err := netip.ParseAddr(look.From)
			if err != nil {
				return nil, unopened{reason.New(reason.InputsForged), err}
			}
			key.from = from
		}
		switch {
		case look.Decided != nil:
			decided, err := h.judge(ctx, look.Decided)
			if err != nil {
				return nil, err
			}
			seen = session.Inquired{Live: true, Inputs: *look.Decided, Decision: decided}
		case look.Why != nil:
			seen.Why = *look.Why
		}
		known.looks[key] = seen
	}
	var err error
	switch {
	case in.RulesBroken:
		known.rules = &rules{Broken: true}
	case in.Rules > 0:
		known.rules, err = h.rulesOf(ctx, wire.Portal{ID: r.Portal, Agency: r.Agency}, in.Rules)
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil, unopened{reason.New(reason.RulesGone, "number", fmt.Sprint(in.Rules)), err}
	}
	return &arbiter{applications: known, sessions: known}, err
}

// recalled is what was known of sessions and rules when a request was answered.
type recalled struct {
	looks map[asked]session.Inquired
	rules *rules
}

// Inquire implements inquirer. What was not looked at is no session.
func (r recalled) Inquire(_ context.Context, _, sessionID string, from netip.Addr, action wire.Action, class string) session.Inquired {
	return r.looks[asked{sessionID, from, action, class}]
}

// Of implements rulebook.
func (r recalled) Of(string) *rules { return r.rules }
