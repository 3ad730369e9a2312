package pdp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/audit"
	"github.com/menshen-zt/menshen/pdp/authzen"
	"github.com/menshen-zt/menshen/pdp/recorded"
	"github.com/menshen-zt/menshen/pdp/session"
	"github.com/menshen-zt/menshen/pdp/store"
)

// history is the decisions of the audit log, with what they were taken from.
type history struct {
	dir    string
	inputs *recorded.Keeper
	// policyOf returns the policy set of a version; its error wraps
	// store.ErrNotFound for one that is not kept.
	policyOf func(ctx context.Context, version string) (policyJudge, error)
	// inForce is the version that decides now.
	inForce func() string
	// again answers an application's request once more, rulesOf returns a
	// portal's rules of a number; its error wraps store.ErrNotFound for some
	// that are not kept.
	again   func(context.Context, authzen.Judge, *wire.Portal, *wire.EvaluationInputs, string) ([]byte, error)
	rulesOf func(ctx context.Context, portal wire.Portal, number int) (*rules, error)
	// rulesNow are those that a portal has now, nil if none.
	rulesNow func(portalID string) *rules
}

// policyJudge is a policy set that judges facts and knows where its policies stand.
type policyJudge interface {
	Decide(facts wire.Facts, action wire.Action, at time.Time) wire.Decision
	Place(policy string) (file string, line int)
}

// unopened says why a decision's inputs cannot be had.
type unopened struct {
	why   wire.Reason
	cause error
}

func (u unopened) Error() string       { return fmt.Sprintf("pdp: %s: %v", u.why.Code, u.cause) }
func (u unopened) Unwrap() error       { return u.cause }
func (u unopened) Reason() wire.Reason { return u.why }

var errNoInputs = errors.New("recorded without its inputs")

// Decisions reads the decisions since a time with their inputs, the oldest
// first, one at a time. A decision whose inputs cannot be had comes with an
// error that carries the reason (reason.InputsErased wraps recorded.ErrErased),
// without its facts; the next follow. A log that cannot be read ends the
// sequence with its error, and so does the end of ctx without one.
func (h *history) Decisions(ctx context.Context, since time.Time) iter.Seq2[wire.RecordedDecision, error] {
	return func(yield func(wire.RecordedDecision, error) bool) {
		for e, err := range audit.Since(h.dir, since) {
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				yield(wire.RecordedDecision{}, err)
				return
			}
			if e.Record.Kind != wire.AuditDecision {
				continue
			}
			one, _, err := h.read(ctx, &e.Record)
			if ctx.Err() != nil || !yield(one, err) {
				return
			}
		}
	}
}

// read opens a decision's record. The inputs are returned as they were sealed.
func (h *history) read(ctx context.Context, r *wire.AuditRecord) (wire.RecordedDecision, []byte, error) {
	one := wire.RecordedDecision{Agency: r.Agency, Portal: r.Portal, Subject: r.Subject, Session: r.Session}
	detail := wire.DecisionDetail{Decision: &one.Decision}
	if err := json.Unmarshal(r.Detail, &detail); err != nil {
		return one, nil, unopened{reason.New(reason.InputsForged), err}
	}
	canonical, err := h.open(ctx, r, []string{r.Subject}, one.Decision.InputsDigest)
	if err != nil {
		return one, nil, err
	}
	var in wire.DecisionInputs
	if err := json.Unmarshal(canonical, &in); err != nil {
		return one, nil, unopened{reason.New(reason.InputsForged), err}
	}
	one.Facts = in.Facts
	return one, canonical, nil
}

// open returns a record's inputs as they were sealed for owners, if they are
// those that the digest covers.
func (h *history) open(ctx context.Context, r *wire.AuditRecord, owners []string, digest string) ([]byte, error) {
	if r.Inputs == nil {
		return nil, unopened{reason.New(reason.InputsMissing), errNoInputs}
	}
	canonical, err := openFor(ctx, h.inputs, r, owners)
	switch {
	case errors.Is(err, recorded.ErrErased):
		return nil, unopened{reason.New(reason.InputsErased), err}
	case errors.Is(err, store.ErrUnavailable) || ctx.Err() != nil:
		return nil, err
	case err != nil:
		return nil, unopened{reason.New(reason.InputsForged), err}
	case session.Digest(canonical) != digest:
		return nil, unopened{reason.New(reason.InputsForged), errors.New("not the inputs that the digest covers")}
	}
	return canonical, nil
}

// taken returns the record of a decision and how often it was used since; its
// error wraps store.ErrNotFound where there is none.
func (h *history) taken(id string) (r wire.AuditRecord, uses uint64, err error) {
	entries, err := audit.Find(h.dir, id)
	if err != nil {
		return r, 0, err
	}
	found := false
	for _, e := range entries {
		switch e.Record.Kind {
		case wire.AuditDecision, wire.AuditEvaluation:
			r, found = e.Record, true
		case wire.AuditUses:
			var more struct {
				Uses uint64 `json:"uses"`
			}
			if json.Unmarshal(e.Record.Detail, &more) == nil {
				uses += more.Uses
			}
		default: // names it, and tells nothing of it
		}
	}
	if !found {
		return r, 0, store.ErrNotFound
	}
	return r, uses, nil
}
