package policyset

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// Bounds of a what-if.
const (
	// MaxDays is how far back a what-if may look.
	MaxDays = 90

	maxPeople     = 200_000
	maxAffected   = 20 // examples of each kind
	maxFailures   = 32 // kinds of failures
	maxReasons    = 8
	whatIfLimit   = 15 * time.Minute
	progressEvery = 1000
)

// tried is what is kept of the last whole what-if of a version.
type tried struct {
	Version string    `json:"version"`
	Against string    `json:"against"`
	At      time.Time `json:"at"`
	Days    int       `json:"days"`
	People  int       `json:"people"`
	Losing  int       `json:"losing"`
}

// WhatIf replays the recorded decisions of some days, of one portal where one
// is named, against a draft: by the set in force and by the draft, on the facts
// of that time. It tells how far it is now and again. A whole what-if of all
// portals is kept: activation asks for it.
func (k *Keeper) WhatIf(ctx context.Context, files map[string][]byte, days int, portal string, progress func(decisions uint64, at time.Time)) (wire.PolicyWhatIf, error) {
	if days < 1 || days > MaxDays {
		return wire.PolicyWhatIf{}, refuse(reason.SetDays, "most", strconv.Itoa(MaxDays))
	}
	if k.Recorded == nil {
		return wire.PolicyWhatIf{}, refuse(reason.SetNoRecords)
	}
	if !k.trying.TryLock() {
		return wire.PolicyWhatIf{}, refuse(reason.SetWhatIfBusy)
	}
	defer k.trying.Unlock()
	draft, err := k.load(files)
	if err != nil {
		return wire.PolicyWhatIf{}, err
	}
	against := k.Active()
	if against == nil {
		return wire.PolicyWhatIf{}, refuse(reason.PolicyUntrusted)
	}
	until := k.now()
	r := &replay{draft: draft, against: against, limit: whatIfLimit, people: map[string]*affected{}, failures: map[string]*wire.PolicyFailure{}}
	r.report = wire.PolicyWhatIf{Version: draft.Version(), Against: against.Version(), Since: until.AddDate(0, 0, -days), Until: until, Portal: portal}
	if err := r.run(ctx, k.Recorded, progress); err != nil {
		return wire.PolicyWhatIf{}, err
	}
	r.sum()
	return r.report, k.keepTried(ctx, &r.report, days)
}

// replay is a what-if under way. Its memory is bounded by the people.
type replay struct {
	draft, against Evaluator
	limit          time.Duration
	report         wire.PolicyWhatIf
	people         map[string]*affected
	failures       map[string]*wire.PolicyFailure
}

// affected is what a draft does to a person: the worst of it.
type affected struct {
	worst effect
	by    wire.PolicyAffected
}

// effect orders what a draft can do to a person, the worst last.
type effect uint8

const (
	nothing effect = iota
	gains
	readsOnly
	stepsUp
	loses
)

func effectOf(was, now wire.PolicyAnswer) effect {
	switch {
	case now.Rank() == was.Rank():
		return nothing
	case now.Rank() > was.Rank():
		return gains
	case now == wire.AnswerReadOnly:
		return readsOnly
	case now == wire.AnswerStepUp:
		return stepsUp
	}
	return loses
}

func (r *replay) run(ctx context.Context, source Source, progress func(uint64, time.Time)) error {
	limited, cancel := context.WithTimeout(ctx, r.limit)
	defer cancel()
	seen, last := uint64(0), r.report.Since
	for one, err := range source(limited, r.report.Since) {
		if limited.Err() != nil {
			break
		}
		if seen++; seen%progressEvery == 0 {
			progress(seen, last)
		}
		if err != nil {
			var told interface{ Reason() wire.Reason }
			if !errors.As(err, &told) {
				return fmt.Errorf("%w: %w", refuse(reason.SetNoRecords), err)
			}
			r.failed(told.Reason())
			continue
		}
		if r.report.Portal != "" && one.Portal != r.report.Portal {
			continue
		}
		last = one.Decision.At
		if !r.judge(&one) {
			r.report.Truncated = reason.New(reason.SetTooManyPeople, "people", strconv.Itoa(len(r.people)))
			return nil
		}
	}
	if err := ctx.Err(); err != nil {
		return err // whoever asked is gone
	}
	if limited.Err() != nil {
		r.report.Truncated = reason.New(reason.SetTooLong, "until", last.UTC().Format(time.RFC3339))
	}
	return nil
}

// judge adds one decision, and reports whether there was room for its person.
func (r *replay) judge(one *wire.RecordedDecision) bool {
	person := r.people[one.Subject]
	if person == nil {
		if len(r.people) == maxPeople {
			return false
		}
		person = &affected{}
		r.people[one.Subject] = person
	}
	if one.Facts.At.IsZero() { // the facts themselves could not be had
		r.failed(reason.New(reason.SetRecordFailed))
		return true
	}
	was, now, err := compare(r.against, r.draft, &one.Facts, one.Decision.Action)
	if err != nil {
		r.failed(reason.New(reason.SetRecordFailed))
		return true
	}
	r.report.Decisions++
	if one.Decision.PolicyVersion != r.report.Against {
		r.report.OtherVersions++
	}
	e := effectOf(was.answer, now.answer)
	if e <= person.worst {
		return true
	}
	person.worst, person.by = e, wire.PolicyAffected{
		Person: one.Subject, Agency: one.Agency, Portal: one.Portal, Action: one.Decision.Action, Decision: one.Decision.ID,
		At: one.Facts.At, Was: was.answer, Now: now.answer,
	}
	for _, why := range now.Reasons[:min(len(now.Reasons), maxReasons)] {
		person.by.Reasons = append(person.by.Reasons, why.Code)
	}
	return true
}

// failed counts what could not be judged, by its reason.
func (r *replay) failed(why wire.Reason) {
	if r.failures[why.Code] == nil && len(r.failures) >= maxFailures {
		why = reason.New(reason.SetRecordFailed) // as one of the others
	}
	if r.failures[why.Code] == nil {
		r.failures[why.Code] = &wire.PolicyFailure{Why: why}
	}
	r.failures[why.Code].Count++
}

func (r *replay) sum() {
	r.report.People = len(r.people)
	for _, p := range r.people {
		into := map[effect]*wire.PolicyEffect{gains: &r.report.Gaining, readsOnly: &r.report.ReadingOnly, stepsUp: &r.report.SteppingUp, loses: &r.report.Losing}[p.worst]
		if into == nil {
			continue
		}
		into.People++
		into.Examples = append(into.Examples, p.by)
	}
	for _, e := range []*wire.PolicyEffect{&r.report.Losing, &r.report.SteppingUp, &r.report.ReadingOnly, &r.report.Gaining} {
		slices.SortFunc(e.Examples, func(a, b wire.PolicyAffected) int {
			return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.Person, b.Person))
		})
		e.Examples = e.Examples[:min(len(e.Examples), maxAffected)]
	}
	for _, f := range r.failures {
		r.report.Failures = append(r.report.Failures, *f)
	}
	slices.SortFunc(r.report.Failures, func(a, b wire.PolicyFailure) int { return cmp.Compare(a.Why.Code, b.Why.Code) })
}

// keepTried keeps what a whole what-if said, for the activation. One that could
// not judge a good part of the decisions says nothing of those.
func (k *Keeper) keepTried(ctx context.Context, r *wire.PolicyWhatIf, days int) error {
	var failed uint64
	for _, f := range r.Failures {
		failed += f.Count
	}
	tolerated := (r.Decisions + failed) * uint64(k.ConfirmAbove) // #nosec G115 -- from 0 to 100
	if r.Truncated.Code != "" || r.Portal != "" || r.Decisions == 0 || failed*100 > tolerated {
		return nil
	}
	op, err := put(triedKey(r.Version), tried{r.Version, r.Against, r.Until, days, r.People, r.Losing.People})
	if err != nil {
		return err
	}
	_, err = k.Store.Txn(ctx, nil, []store.Op{op})
	return err
}

// confirmation refuses an activation that is to be confirmed by typing: nobody
// tried what the set does, or too many people lose by it.
func (k *Keeper) confirmation(ctx context.Context, version string) error {
	t, _, err := get[tried](ctx, k.Store, triedKey(version))
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, errUnreadable),
		err == nil && t.Against != k.force.Load().last.Version:
		return refuse(reason.SetUntried, "version", version)
	case err != nil:
		return err
	case t.Losing*100 > t.People*k.ConfirmAbove:
		return refuse(reason.SetConfirm, "version", version, "losing", strconv.Itoa(t.Losing), "people", strconv.Itoa(t.People), "days", strconv.Itoa(t.Days))
	}
	return nil
}
