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
	Claim  wire.ClaimID
	// Asked says that the decision asks for this line to be put right.
	Asked bool
	// Settled says that the set of changes above puts this line right too,
	// Folded that what to do here can wait and is shown when it is opened.
	Settled, Folded bool
}

// checkOn is a line with the page that it stands on.
type checkOn struct {
	Page  page
	Check check
}

// remedyOrder is the order in which a person does what helps: repairs before
// the laptop is measured again, and the touch of the key last, while it is fresh.
var remedyOrder = []string{"ask-admin", "register-key", "fix-claim", "wait", "attest", "sign-in"}

// list is a checklist under way.
type list struct {
	lang   reason.Language
	texts  catalogue
	claims []wire.Claim

	codes map[string]bool
	told  map[wire.ClaimID]bool
}

// line returns the line of a reason, unless that was told already. Two remedies
// of one reason are two things to do where their claims differ.
func (l *list) line(state string, why wire.Reason, claim wire.ClaimID, action string) (check, bool) {
	if reason.Withheld(why) {
		claim = "" // which one it is would tell the rest
	}
	again := l.codes[why.Code] && (claim == "" || action == "")
	if why.Code == "" || again || (claim != "" && l.told[claim]) {
		return check{}, false
	}
	l.codes[why.Code] = true
	if claim != "" {
		l.told[claim] = true
		state = claimState(l.claims, claim, state)
	}
	return check{State: state, reasonText: describe(l.lang, why), Action: action, Claim: claim}, true
}

// checklist puts together what a decision asks for and what was measured. The
// first part is the smallest set of changes that lets the person in, in the
// order in which they are done; it is empty where nobody knows one. The second
// is everything else, failures first.
func checklist(lang reason.Language, texts catalogue, p wire.DenialPage) (set, rest []check) {
	l := &list{lang: lang, texts: texts, claims: p.Claims, codes: map[string]bool{}, told: map[wire.ClaimID]bool{}}
	for _, remedy := range p.Decision.Remedies {
		if c, ok := l.line(stateFail, remedy.Reason, remedy.Claim, remedy.Action); ok {
			c.Asked = true
			set = append(set, c)
		}
	}
	if !p.Decision.Suffices {
		set, rest = nil, set
	}
	slices.SortStableFunc(set, func(a, b check) int { return slices.Index(remedyOrder, a.Action) - slices.Index(remedyOrder, b.Action) })
	for _, why := range p.Decision.Reasons {
		if c, ok := l.line(stateFail, why, "", ""); ok {
			c.Asked, c.Settled = set == nil, set != nil
			rest = append(rest, c)
		}
	}
	for _, finding := range p.Findings {
		if c, ok := l.line(stateWarn, finding.Reason, finding.Claim, ""); ok {
			rest = append(rest, c)
		}
	}
	rest = append(rest, l.measured()...)
	for i := range rest {
		rest[i].Folded = set != nil && rest[i].Do != "" && !rest[i].Settled
	}
	slices.SortStableFunc(rest, func(a, b check) int { return rank(a.State) - rank(b.State) })
	return set, rest
}

// measured returns the lines of the claims that nothing was said of yet.
func (l *list) measured() (all []check) {
	for _, claim := range l.claims {
		if l.told[claim.ID] {
			continue
		}
		title, err := l.texts.text("claim." + string(claim.ID))
		if err != nil {
			title = string(claim.ID)
		}
		line := check{State: claimStates[claim.State], reasonText: reasonText{Text: reason.Text{Title: title}}, Claim: claim.ID}
		switch line.State {
		case "":
			line.State = stateUnknown
		case stateFail: // this decision did not ask for it
			line.State = stateWarn
		}
		all = append(all, line)
	}
	return all
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
