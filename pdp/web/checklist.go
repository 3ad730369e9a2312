package web

import (
	"slices"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// States of a line of the checklist, each with an icon and a word of its own.
const (
	stateFail    = "fail"
	stateWarn    = "warn"
	stateUnknown = "unknown"
	statePass    = "pass"
)

// check is one line of the checklist.
type check struct {
	State string
	reasonText
	Action string // of the remedy
	// Asked says that the decision asks for this line to be put right.
	Asked bool
}

// checklist puts together what a decision asks for and what was measured,
// failures first. A decision's remedies are the smallest set of changes that
// helps, so they come before all else.
func checklist(lang reason.Language, texts catalogue, p wire.DenialPage) []check {
	var checks []check
	seenCode, seenClaim := map[string]bool{}, map[wire.ClaimID]bool{}
	asked := true
	add := func(state string, why wire.Reason, claim wire.ClaimID, action string) {
		if why.Code == "" || seenCode[why.Code] || (claim != "" && seenClaim[claim]) {
			return
		}
		seenCode[why.Code] = true
		if claim != "" {
			seenClaim[claim] = true
			state = claimState(p.Claims, claim, state)
		}
		checks = append(checks, check{State: state, reasonText: describe(lang, why), Action: action, Asked: asked})
	}
	for _, remedy := range p.Decision.Remedies {
		add(stateFail, remedy.Reason, remedy.Claim, remedy.Action)
	}
	for _, why := range p.Decision.Reasons {
		add(stateFail, why, "", "")
	}
	asked = false
	for _, finding := range p.Findings {
		add(stateWarn, finding.Reason, finding.Claim, "fix-claim")
	}
	for _, claim := range p.Claims {
		if seenClaim[claim.ID] {
			continue
		}
		title, err := texts.text("claim." + string(claim.ID))
		if err != nil {
			title = string(claim.ID)
		}
		line := check{State: claimStates[claim.State], reasonText: reasonText{Text: reason.Text{Title: title}}}
		switch line.State {
		case "":
			line.State = stateUnknown
		case stateFail: // this decision did not ask for it
			line.State = stateWarn
		}
		checks = append(checks, line)
	}
	slices.SortStableFunc(checks, func(a, b check) int { return rank(a.State) - rank(b.State) })
	return checks
}

// claimStates maps result states (requirements 27) to lines. What could not be
// measured is never a pass.
var claimStates = map[wire.ClaimState]string{
	wire.ClaimPass: statePass, wire.ClaimNotApplicable: statePass, wire.ClaimException: statePass,
	wire.ClaimFail: stateFail, wire.ClaimError: stateUnknown, wire.ClaimManual: stateUnknown,
}

// claimState tells a claim that failed from one that could not be measured.
func claimState(claims []wire.Claim, id wire.ClaimID, otherwise string) string {
	for _, claim := range claims {
		if claim.ID == id && (claim.State == wire.ClaimError || claim.State == wire.ClaimManual) {
			return stateUnknown
		}
	}
	return otherwise
}

func rank(state string) int {
	return slices.Index([]string{stateFail, stateUnknown, stateWarn, statePass}, state)
}
