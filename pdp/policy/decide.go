package policy

import (
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
	r := newRequest(&facts, at)
	now := e.evaluate(r, action)
	if now.allowed {
		return e.allow(d, now, r, &facts)
	}
	d.Policies = now.policies()
	d.Reasons, d.Remedies = now.explain(&facts)
	if e.evaluate(r.afterSignIn(&facts, at), action).allowed {
		d.Effect = wire.StepUp
		d.Remedies = []wire.Remedy{{Reason: d.Reasons[0], Action: "sign-in"}}
	}
	return d
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
		d.Reasons, d.Remedies = write.explain(facts)
	}
	return d
}

// outcome is one evaluation of the policy set. Its zero value allows nothing.
type outcome struct {
	allowed bool
	failed  bool    // a policy could not be evaluated, so nothing is allowed
	rules   []*rule // determining policies
}

func (e *Engine) evaluate(r *request, action wire.Action) outcome {
	selected, known := e.rules.selectFor(action, r.portal.UID.ID)
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
	return o
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
func (o outcome) explain(f *wire.Facts) ([]wire.Reason, []wire.Remedy) {
	if len(o.rules) == 0 || o.failed {
		why := reason.New(reason.NoPermit)
		if o.failed {
			why = reason.New(reason.PolicyFailed)
		}
		return []wire.Reason{why}, []wire.Remedy{{Reason: why, Action: "ask-admin"}}
	}
	var told explanation
	for _, r := range o.rules {
		told.add(r, f)
	}
	return told.reasons, told.remedies
}

type explanation struct {
	reasons  []wire.Reason
	remedies []wire.Remedy
}

func (x *explanation) add(r *rule, f *wire.Facts) {
	told := false
	if present(f) {
		for i := range f.Standing.Result.Findings {
			finding := &f.Standing.Result.Findings[i]
			about := r.claim != "" && finding.Claim == r.claim
			if finding.Reason.Code == "" || (!about && (!r.findings || finding.Note)) {
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
	if remedy != "" {
		x.remedies = append(x.remedies, wire.Remedy{Reason: why, Claim: claim, Action: remedy})
	}
}
