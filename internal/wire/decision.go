package wire

import "time"

// Effect is a decision's outcome; the zero value denies.
type Effect uint8

// Effects.
const (
	Deny Effect = iota
	StepUp
	Allow
)

// String returns "deny", "step-up" or "allow"; anything else reads as deny.
func (e Effect) String() string {
	switch e {
	case Allow:
		return "allow"
	case StepUp:
		return "step-up"
	default:
		return "deny"
	}
}

// MarshalText returns String.
func (e Effect) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText reads what MarshalText wrote; unknown text denies.
func (e *Effect) UnmarshalText(b []byte) error {
	switch string(b) {
	case "allow":
		*e = Allow
	case "step-up":
		*e = StepUp
	default:
		*e = Deny
	}
	return nil
}

// Obligations bind whoever enforces an allow.
type Obligations struct {
	ReadOnly bool `json:"read_only,omitempty"`
	// MaxTokenLife caps the access token's life; zero means the portal's own.
	MaxTokenLife time.Duration `json:"max_token_life,omitempty"`
}

// Remedy is one change that would help, with the reason that it answers.
type Remedy struct {
	Reason Reason  `json:"reason"`
	Claim  ClaimID `json:"claim,omitempty"`
	// Action is "fix-claim", "sign-in", "attest", "register-key", "ask-admin" or "wait".
	Action string `json:"action"`
}

// Decision is the engine's answer for one session, portal and action. A denial
// is a Decision, never an error.
type Decision struct {
	ID            string      `json:"id"`
	Effect        Effect      `json:"effect"`
	Action        Action      `json:"action"`
	Obligations   Obligations `json:"obligations"`
	Reasons       []Reason    `json:"reasons,omitempty"`
	Policies      []string    `json:"policies,omitempty"` // determining policies
	PolicyVersion string      `json:"policy_version"`
	Remedies      []Remedy    `json:"remedies,omitempty"`
	// Suffices says that the remedies are the smallest set of changes that
	// turns this denial into an allow: the engine tried them. Where it is not
	// set they are one for each reason, and nobody knows whether they do.
	Suffices bool `json:"suffices,omitempty"`
	// InputsDigest is SHA-256 over the canonical DecisionInputs, hexadecimal.
	// They hold a salt. Whoever records the decision sets it.
	InputsDigest string    `json:"inputs_digest"`
	At           time.Time `json:"at"`
	// ValidUntil is the earliest end of all the inputs.
	ValidUntil time.Time `json:"valid_until"`
}

// RecordedDecision is a decision as the audit log holds it, with the inputs
// that it was taken from.
type RecordedDecision struct {
	Agency   string // the portal's
	Portal   string
	Subject  string // the person's id
	Session  string
	Decision Decision
	Facts    Facts
}
