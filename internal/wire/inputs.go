package wire

import "time"

// DecisionInputs is everything that one decision was computed from, so that it
// can be computed again. It is canonical: marshalled by encoding/json it gives
// the bytes that Decision.InputsDigest covers.
type DecisionInputs struct {
	// Salt is random. It is kept with the inputs and nowhere else: once they
	// are gone, the digest confirms nobody's guess at them.
	Salt []byte `json:"salt"`
	// ID is the decision's, At its time and PolicyVersion the policy set's that
	// judged the facts.
	ID            string    `json:"id"`
	Action        Action    `json:"action"`
	At            time.Time `json:"at"`
	PolicyVersion string    `json:"policy_version"`
	// TouchedAt is when the session's key was touched. Facts leave that out
	// where an administrator ended the sign-in.
	TouchedAt time.Time `json:"touched_at"`
	// NoPolicy is why no policy set judged the facts; nil where one did.
	NoPolicy *Reason `json:"no_policy,omitempty"`
	// EngineFailed says that there were no facts to judge, TokenFailed that an
	// allow could not be given its access token.
	EngineFailed bool  `json:"engine_failed,omitempty"`
	TokenFailed  bool  `json:"token_failed,omitempty"`
	Facts        Facts `json:"facts"`
}

// SealedInputs are DecisionInputs that only the holder of a key can read.
type SealedInputs struct {
	// Key names the key. It is destroyed with the person's data or when its
	// time is over, and the inputs with it.
	Key string `json:"key"`
	Box []byte `json:"box"`
}

// DecisionDetail is the detail of an AuditDecision record: what anybody who may
// read the log sees.
type DecisionDetail struct {
	Decision *Decision `json:"decision"`
	// Class is the policy resource class that was asked for, if any.
	Class    string   `json:"class,omitempty"`
	Network  string   `json:"network"`
	AAL      int      `json:"aal"`
	Standing Standing `json:"standing"`
	// EvidenceAt is when the nonce of the device's last attestation was issued.
	EvidenceAt time.Time     `json:"evidence_at,omitzero"`
	SignInAt   time.Time     `json:"sign_in_at,omitzero"`
	Trust      RecordedTrust `json:"trust"`
}

// RecordedTrust is the assessment that a decision was taken with.
type RecordedTrust struct {
	Nats     float64     `json:"nats"`
	Score    int         `json:"score"`
	Coverage float64     `json:"coverage"`
	Weights  string      `json:"weights"`
	Terms    []TrustTerm `json:"terms,omitempty"`
}
