package policy

import (
	"cmp"
	"slices"
	"time"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Decide judges one action of one session at that moment. It never fails: what
// cannot be judged is denied. The decision's id and the digest of its inputs
// stay empty: whoever records it sets them.
func (e *Engine) Decide(facts wire.Facts, action wire.Action, at time.Time) wire.Decision {
	at = at.UTC()
	facts.At = at
	d := wire.Decision{Action: action, PolicyVersion: e.version, At: at, ValidUntil: e.validUntil(&facts, at)}
	if facts.Trust.Latched != "" {
		return latched(d, facts.Trust.Latched)
	}
	r := e.view.request(&facts, at)
	now := e.evaluate(r, action)
	if now.allowed {
		return e.allow(d, now, r, &facts)
	}
	d.Policies = now.policies()
	refused := facts // an allow's facts stay where they are
	if e.refused(&d, now, &refused, action, at) {
		d.Effect = wire.StepUp
	}
	return d
}

// latched denies to whom an officer holds for compromised, whatever the policies
// say: a human's word stands over them (requirements 31).
func latched(d wire.Decision, override string) wire.Decision {
	why := reason.New(reason.TrustLatched, "override", override)
	d.Reasons, d.Remedies = []wire.Reason{why}, []wire.Remedy{{Reason: why, Action: "ask-admin"}}
	return d
}

// refused says why that action is refused, and what would help: the smallest
// set of changes if there is one that may be told, else one for each reason. It
// reports whether a touch of the key alone helps.
func (e *Engine) refused(d *wire.Decision, now outcome, f *wire.Facts, action wire.Action, at time.Time) (stepUp bool) {
	d.Reasons, d.Remedies = e.explain(now, f)
	if now.failed {
		return false
	}
	s, steps := e.smallest(now, f, action, at)
	if len(steps) == 1 && s.changes[steps[0].change].action == "sign-in" {
		d.Remedies, d.Suffices = []wire.Remedy{{Reason: d.Reasons[0], Action: "sign-in"}}, true
		return true
	}
	withheld := slices.ContainsFunc(d.Reasons, func(r wire.Reason) bool { return e.withheld[r.Code] })
	if remedies, may := s.told(steps); may && len(steps) > 0 && !withheld {
		d.Remedies, d.Suffices = remedies, true
	}
	return false
}

// allow fills in an allow. An allowed read whose session may not write is
// marked read-only, with the reasons for it (requirements 12).
func (e *Engine) allow(d wire.Decision, now outcome, r *request, facts *wire.Facts) wire.Decision {
	d.Effect = wire.Allow
	d.Policies = now.policies()
	if d.Action != wire.ActionRead {
		return d
	}
	if write := e.evaluate(r, wire.ActionWrite); !write.allowed {
		d.Obligations.ReadOnly = true
		refused := *facts
		e.refused(&d, write, &refused, wire.ActionWrite, d.At)
	}
	return d
}

// outcome is one evaluation of the policy set. Its zero value allows nothing.
type outcome struct {
	allowed  bool
	failed   bool    // a policy could not be evaluated, so nothing is allowed
	rules    []*rule // determining policies
	refusing []*rule // those that forbid, and those that could not be evaluated
}

func (e *Engine) evaluate(r *request, action wire.Action) outcome {
	selected, known := e.rules.selectFor(action, r)
	if !known {
		return outcome{}
	}
	decision, diagnostic := cedar.Authorize(selected, r, r.cedar(action))
	// A policy that errors is skipped by Cedar, a forbid too.
	failed := len(diagnostic.Errors) > 0
	o := outcome{allowed: decision == types.Allow && !failed, failed: failed}
	for _, why := range diagnostic.Reasons {
		o.rules = append(o.rules, e.rules.byID[why.PolicyID])
	}
	sortRules(o.rules)
	if decision != types.Allow {
		o.refusing = slices.Clip(o.rules)
	}
	for _, fault := range diagnostic.Errors {
		o.refusing = append(o.refusing, e.rules.byID[fault.PolicyID])
	}
	sortRules(o.refusing)
	return o
}

// sortRules puts rules as they stand in the files, however they were found.
func sortRules(rules []*rule) {
	slices.SortFunc(rules, func(a, b *rule) int { return cmp.Compare(a.order, b.order) })
}

func (o outcome) policies() []string {
	ids := make([]string, 0, len(o.rules))
	for _, r := range o.rules {
		ids = append(ids, r.id)
	}
	slices.Sort(ids)
	return ids
}

// explain tells why a denial is one, and what would help, one remedy a reason.
func (e *Engine) explain(o outcome, f *wire.Facts) ([]wire.Reason, []wire.Remedy) {
	if len(o.rules) == 0 || o.failed {
		why := reason.New(reason.NoPermit)
		if o.failed {
			why = reason.New(reason.PolicyFailed)
		}
		return []wire.Reason{why}, []wire.Remedy{{Reason: why, Action: "ask-admin"}}
	}
	told := explanation{withheld: e.withheld}
	for _, r := range o.rules {
		told.add(r, f)
	}
	return told.reasons, told.remedies
}

type explanation struct {
	withheld map[string]bool
	reasons  []wire.Reason
	remedies []wire.Remedy
}

func (x *explanation) add(r *rule, f *wire.Facts) {
	told := false
	if present(f) {
		// Of a device that must not be used any more, nobody is asked to put the
		// configuration right: that is not why.
		grave, _ := sumUp(f.Standing.Result.Vector)
		for i := range f.Standing.Result.Findings {
			finding := &f.Standing.Result.Findings[i]
			about := r.claim != "" && finding.Claim == r.claim
			if finding.Reason.Code == "" || (!about && (!r.findings || finding.Note || (grave && finding.Claim != ""))) {
				continue
			}
			told = true
			if finding.Claim != "" {
				x.tell(finding.Reason, finding.Claim, "fix-claim")
			} else {
				x.tell(finding.Reason, "", r.remedy)
			}
		}
	}
	if !told {
		x.tell(wire.Reason{Code: r.reason}, r.claim, r.remedy)
	}
}

func (x *explanation) tell(why wire.Reason, claim wire.ClaimID, remedy string) {
	for _, known := range x.reasons {
		if known.Code == why.Code {
			return
		}
	}
	x.reasons = append(x.reasons, why)
	if x.withheld[why.Code] {
		claim = "" // which claim it is would tell the rest
		if remedy == "fix-claim" {
			remedy = "ask-admin"
		}
	}
	if remedy != "" {
		x.remedies = append(x.remedies, wire.Remedy{Reason: why, Claim: claim, Action: remedy})
	}
}
