package wire

// The messages of "check again" on a denied page (pages: rule 3).
//
// POST /.menshen/check with {} asks the laptop to measure now, GET
// /.menshen/check/<id> tells how far it has come. Both answer with a
// CheckAnswer; refusals are problem documents.

// CheckRequest is POST /.menshen/check. It says nothing: the session is known
// by its cookie, and what it was denied is known too.
type CheckRequest struct{}

// CheckStage is how far a check has come; each is told once it has happened.
type CheckStage string

// Stages of a check, in order.
const (
	CheckSent      CheckStage = "sent"      // the question waits for the agent
	CheckMeasuring CheckStage = "measuring" // the agent has taken it
	CheckDeciding  CheckStage = "deciding"  // new Evidence was appraised
	CheckResult    CheckStage = "result"    // decided: Allowed says how
)

// CheckAnswer tells how far a check has come.
type CheckAnswer struct {
	ID      string     `json:"id"`
	Stage   CheckStage `json:"stage"`
	Allowed bool       `json:"allowed"`
	// Code and Decision tell why not.
	Code     string `json:"code,omitempty"`
	Decision string `json:"decision,omitempty"`
}
