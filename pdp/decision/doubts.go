package decision

import (
	"cmp"
	"slices"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// leastDoubt is how many nats a term takes at least to be worth a line.
const leastDoubt = 0.5

// scoreReasons are the policy's reasons that come from the trust score.
var scoreReasons = []string{reason.TrustLow, reason.TrustMiddling, reason.TrustReadOnly, reason.TrustSensitive, reason.CoverageTooLow}

// doubts are the reasons of what lowered the score, the most first, where the
// score is a reason of the decision (requirements 30). Which of them a person
// reads in words is for the page to say.
func doubts(a *wire.Access) []wire.Reason {
	if a.Decision == nil || a.Facts == nil {
		return nil
	}
	byScore := slices.ContainsFunc(a.Decision.Reasons, func(r wire.Reason) bool { return slices.Contains(scoreReasons, r.Code) })
	if !byScore {
		return nil
	}
	terms := slices.DeleteFunc(slices.Clone(a.Facts.Trust.Terms), func(t wire.TrustTerm) bool { return !(t.Nats <= -leastDoubt) })
	slices.SortStableFunc(terms, func(a, b wire.TrustTerm) int { return cmp.Compare(a.Nats, b.Nats) })
	var told []wire.Reason
	seen := map[string]bool{reason.TrustBase: true} // where everybody starts is no doubt
	for _, t := range terms {
		for _, r := range t.Reasons {
			if !seen[r.Code] {
				seen[r.Code] = true
				told = append(told, r)
			}
		}
	}
	return told
}

// touchReasons are what a new touch of the key is asked for, as the sign-in page
// tells it: the decision's own reasons, then what lowered the score.
func touchReasons(a *wire.Access) []wire.Reason {
	if a.Decision == nil {
		return nil
	}
	all := slices.Concat(a.Decision.Reasons, doubts(a))
	return all[:min(len(all), wire.MaxWhy)]
}
