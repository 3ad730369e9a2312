package wire

import "time"

// AppealKind is what a person says of a decision.
type AppealKind string

// Kinds of appeals.
const (
	// AppealWrong says that the decision should have been another.
	AppealWrong AppealKind = "wrong"
	// AppealNotMe says that it was somebody else who asked.
	AppealNotMe AppealKind = "not-me"
)

// AppealOutcome is what an officer made of an appeal. The zero value is none yet.
type AppealOutcome string

// Outcomes of appeals.
const (
	AppealOpen      AppealOutcome = ""
	AppealUpheld    AppealOutcome = "upheld"    // the person is right
	AppealDismissed AppealOutcome = "dismissed" // the decision stands
)

// Appeal is a person's word against a recorded decision about them, and an
// officer's answer (requirements 31).
type Appeal struct {
	ID       string     `json:"id"`
	Agency   string     `json:"agency"` // the portal's, which decided
	Person   string     `json:"person"`
	Decision string     `json:"decision"`
	Kind     AppealKind `json:"kind"`
	// Text is what the person wrote, of at most 1,000 letters.
	Text string    `json:"text,omitempty"`
	At   time.Time `json:"at"`

	Outcome AppealOutcome `json:"outcome,omitempty"`
	// Answer is what the officer wrote to the person, By who the officer is.
	Answer     string    `json:"answer,omitempty"`
	By         string    `json:"by,omitempty"`
	AnsweredAt time.Time `json:"answered_at,omitzero"`
}
