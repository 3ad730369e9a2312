package verifier

import (
	"slices"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// pardons are the exceptions that count for one device at one time
// (requirements 27).
type pardons []wire.Exception

// pardonsOf leaves out what is another agency's or device's, what has not begun
// or has ended, and what does not name exactly one thing.
func pardonsOf(exceptions []wire.Exception, device wire.Device, now time.Time) pardons {
	var all pardons
	for _, e := range exceptions {
		switch {
		case e.Agency == "" || e.Agency != device.Agency,
			e.Device != "" && e.Device != device.ID,
			now.Before(e.Since) || !now.Before(e.Until),
			(e.Claim == "") == (e.Rule == ""), (e.Rule == "") != (e.Baseline == ""):
		default:
			all = append(all, e)
		}
	}
	return all
}

// covers reports whether one of them permits what is in this state: a failure,
// or what cannot be measured where the exception says that too.
func (p pardons) covers(state wire.ClaimState, names func(wire.Exception) bool) bool {
	return slices.ContainsFunc(p, func(e wire.Exception) bool {
		return names(e) && (state == wire.ClaimFail || state == wire.ClaimError && e.Unmeasured)
	})
}

// excuse gives claims that an agency has excepted that state. Their findings
// stay as notes: what was seen is told, and lowers nothing. What was not sent at
// all is never excused.
func excuse(claims []wire.Claim, findings []wire.Finding, p pardons) {
	for i, c := range claims {
		missing := slices.ContainsFunc(findings, func(f wire.Finding) bool { return f.Claim == c.ID && f.Type == wire.FindingMissing })
		if missing || !p.covers(c.State, func(e wire.Exception) bool { return e.Claim == c.ID }) {
			continue
		}
		claims[i].State = wire.ClaimException
		for j := range findings {
			if findings[j].Claim == c.ID && findings[j].Type == wire.FindingFailing {
				findings[j].Note = true
			}
		}
	}
}
