package policy

import (
	"cmp"
	"math/bits"
	"slices"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Bounds of the search for the smallest set of changes that helps.
const (
	// MaxChanges is how many changes a set may have: no smaller set exists than
	// the one that is found, and larger ones are not looked for.
	MaxChanges = 4
	// maxEvaluations bounds the work for one decision. Where it does not do,
	// nothing is found.
	maxEvaluations = 256
)

// search looks for the smallest set of changes that turns a refusal into an
// allow, by deciding on the changed facts. It deepens by one change at a time;
// at each step it takes a rule that still refuses and tries the changes that
// concern what this rule reads: every set that helps has one of them.
type search struct {
	engine  *Engine
	facts   *wire.Facts
	action  wire.Action
	at      time.Time
	permits []*rule // that could permit; no change alters what a scope asks
	changes []change
	// lowers are the changes that must all be made before the configuration is
	// affirmed.
	lowers uint64
	known  map[uint64]outcome // by the set of changes, a bit each
	left   int                // evaluations
}

// step is one change of a set, with the rule that asked for it; nil where no
// rule permitted.
type step struct {
	change int
	rule   *rule
}

// smallest returns the smallest set of changes that turns this refusal into an
// allow; nil if there is none of at most MaxChanges.
func (e *Engine) smallest(now outcome, f *wire.Facts, action wire.Action, at time.Time) (*search, []step) {
	s := &search{engine: e, facts: f, action: action, at: at, changes: changesOf(f, at), known: map[uint64]outcome{0: now}, left: maxEvaluations}
	s.permits = e.rules.permits(action, e.view.request(f, at))
	low := lowering(f)
	for i, c := range s.changes {
		if c.claim != "" && slices.Contains(low, c.claim) {
			s.lowers |= 1 << i
		}
	}
	for size := 1; size <= MaxChanges && s.left > 0; size++ {
		if steps := s.within(size, 0, nil); steps != nil {
			return s, steps
		}
	}
	return s, nil
}

// within returns a set of exactly size changes that holds those of steps.
func (s *search) within(size int, chosen uint64, steps []step) []step {
	o, ok := s.outcome(chosen)
	switch {
	case !ok:
		return nil
	case o.allowed:
		return steps
	}
	conflicts := s.conflicts(o, chosen, size-len(steps))
	if len(conflicts) == 0 || len(steps)+apart(conflicts) > size {
		return nil
	}
	best := slices.MinFunc(conflicts, func(a, b conflict) int { return cmp.Compare(bits.OnesCount64(a.changes), bits.OnesCount64(b.changes)) })
	for i := range s.changes {
		if best.changes&(1<<i) == 0 {
			continue
		}
		next := append(slices.Clip(steps), step{i, best.rule})
		if found := s.within(size, chosen|1<<i, next); found != nil {
			return found
		}
	}
	return nil
}

// outcome decides with a set of changes; false when the bound is reached.
func (s *search) outcome(chosen uint64) (outcome, bool) {
	if o, known := s.known[chosen]; known {
		return o, true
	}
	if s.left == 0 {
		return outcome{}, false
	}
	s.left--
	after := *s.facts
	for i := range s.changes {
		if chosen&(1<<i) != 0 {
			s.changes[i].apply(&after)
		}
	}
	o := s.engine.evaluate(s.engine.view.request(&after, s.at), s.action)
	s.known[chosen] = o
	return o, true
}

// conflict is a rule that refuses, and the changes of which every set that
// helps holds at least one.
type conflict struct {
	rule    *rule
	changes uint64
}

// conflicts returns what refuses, each with the changes that concern it. Where
// nothing forbids, no rule permits: one of those that could must change.
func (s *search) conflicts(o outcome, chosen uint64, room int) []conflict {
	all := make([]conflict, 0, len(o.refusing))
	for _, r := range o.refusing {
		all = append(all, conflict{r, s.concerning(&r.reads, chosen, room)})
	}
	if len(all) > 0 {
		return all
	}
	var permits uint64
	for _, r := range s.permits {
		permits |= s.concerning(&r.reads, chosen, room)
	}
	return []conflict{{nil, permits}}
}

// concerning returns the changes outside of chosen that concern what is read.
// The configuration is affirmed when all claims that lowered it pass: where they
// are more than there is room for it is not, and else the first of them is as
// good as any.
func (s *search) concerning(r *reads, chosen uint64, room int) (found uint64) {
	if room <= 0 {
		return 0
	}
	for i := range s.changes {
		if s.changes[i].affects(r) {
			found |= 1 << i
		}
	}
	if rest := s.lowers &^ chosen; rest != 0 && bits.OnesCount64(rest) <= room && anyOf(configurationChanges[:])(r) {
		found |= rest & -rest
	}
	return found &^ chosen
}

// apart returns how many changes the conflicts need at least: as many as do not
// share one. One that no change concerns needs more than there are.
func apart(conflicts []conflict) int {
	var used uint64
	n := 0
	for _, c := range conflicts {
		if c.changes == 0 {
			return MaxChanges + 1
		}
		if c.changes&used == 0 {
			used |= c.changes
			n++
		}
	}
	return n
}

// ranks is the order in which the changes of a set are told. A touch of the key
// comes last, because it counts for minutes only.
var ranks = [...]string{"register-key", "fix-claim", "attest", "wait", "sign-in"}

// told returns the changes of a set as a person is told of them, each with the
// reason that it answers; false where a reason among them is withheld, which
// its remedy would give away.
func (s *search) told(steps []step) ([]wire.Remedy, bool) {
	all := make([]wire.Remedy, 0, len(steps))
	for _, one := range steps {
		c := &s.changes[one.change]
		why := reason.New(reason.NoPermit)
		if one.rule != nil {
			why.Code = one.rule.reason
		}
		if of := findingOf(s.facts, c.claim); of != nil {
			why = of.Reason
		}
		if s.engine.withheld[why.Code] || one.rule != nil && s.engine.withheld[one.rule.reason] {
			return nil, false
		}
		all = append(all, wire.Remedy{Reason: why, Claim: c.claim, Action: c.action})
	}
	slices.SortStableFunc(all, func(a, b wire.Remedy) int {
		return cmp.Compare(slices.Index(ranks[:], a.Action), slices.Index(ranks[:], b.Action))
	})
	return all, true
}

// findingOf returns what the appraisal found about a claim, nil if nothing.
func findingOf(f *wire.Facts, id wire.ClaimID) *wire.Finding {
	for i := range f.Standing.Result.Findings {
		finding := &f.Standing.Result.Findings[i]
		if id != "" && finding.Claim == id && finding.Reason.Code != "" {
			return finding
		}
	}
	return nil
}
