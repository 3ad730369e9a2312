package wire

import "time"

// The messages of "check again" on a denied page (pages: rule 3).
//
// POST /.menshen/check with the header Menshen-Check: 1 and a CheckRequest
// asks the laptop to measure now; GET /.menshen/check?id=… tells how far it has
// come. Both answer with a CheckAnswer, refusals with a problem document.

// CheckHeader must be "1" on a POST: another site's page cannot set it.
const CheckHeader = "Menshen-Check"

// CheckRequest is POST /.menshen/check.
type CheckRequest struct {
	// Action is what was denied: read or write.
	Action Action `json:"action"`
	// Continue is the path to go on to; the portal's root if it is not one.
	Continue string `json:"continue"`
}

// CheckStage is how far a check has come; each is told once it has happened.
type CheckStage string

// Stages of a check, in order; the last four end it.
const (
	CheckSent      CheckStage = "sent"      // the question waits for the agent
	CheckMeasuring CheckStage = "measuring" // the agent has taken it
	CheckDeciding  CheckStage = "deciding"  // new Evidence was appraised
	CheckAllowed   CheckStage = "allowed"
	CheckDenied    CheckStage = "denied"
	CheckSignIn    CheckStage = "sign-in"
	CheckNoAnswer  CheckStage = "no-answer"
)

// CheckAnswer tells how far a check has come.
type CheckAnswer struct {
	ID    string     `json:"id"`
	Stage CheckStage `json:"stage"`
	// SentAt, TakenAt, AppraisedAt and DecidedAt are when the stages happened.
	SentAt      time.Time `json:"sent_at"`
	TakenAt     time.Time `json:"taken_at,omitzero"`
	AppraisedAt time.Time `json:"appraised_at,omitzero"`
	DecidedAt   time.Time `json:"decided_at,omitzero"`
	// Continue is where to go on, once allowed or to sign in.
	Continue string `json:"continue,omitempty"`
	// Code and Decision tell why not.
	Code     string `json:"code,omitempty"`
	Decision string `json:"decision,omitempty"`
}
