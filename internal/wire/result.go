package wire

import "time"

// Trustworthiness is an AR4SI tier. The zero value affirms nothing.
type Trustworthiness string

// Tiers, worst to best except None, which says that nothing is known.
const (
	TrustNone       Trustworthiness = ""
	Contraindicated Trustworthiness = "contraindicated"
	Warning         Trustworthiness = "warning"
	Affirming       Trustworthiness = "affirming"
)

// TrustVector is the AR4SI trustworthiness vector
// (draft-ietf-rats-ar4si), as far as this verifier appraises it.
type TrustVector struct {
	InstanceIdentity Trustworthiness `json:"instance_identity"`
	Hardware         Trustworthiness `json:"hardware"`
	Executables      Trustworthiness `json:"executables"`
	Configuration    Trustworthiness `json:"configuration"`
}

// FindingType says what kind of fault a Finding is.
type FindingType string

// Finding types.
const (
	FindingTampered      FindingType = "tampered"
	FindingRolledBack    FindingType = "rolled-back"
	FindingUnknownUpdate FindingType = "unknown-signed-update"
	FindingUnsupported   FindingType = "unsupported"
	FindingStale         FindingType = "stale"
	FindingMissing       FindingType = "missing"
	FindingFailing       FindingType = "failing" // a claim that does not pass
)

// Finding is one thing that appraisal found, with what was expected and seen.
type Finding struct {
	Type     FindingType `json:"type"`
	Claim    ClaimID     `json:"claim,omitempty"`
	Reason   Reason      `json:"reason"`
	Expected string      `json:"expected,omitempty"`
	Seen     string      `json:"seen,omitempty"`
	// Note says that the finding is told and lowers nothing, such as a claim
	// that fails where nobody demands it.
	Note bool `json:"note,omitempty"`
}

// Fails reports whether the finding is a fault. What a parser does not support
// and what is a signed update that nobody has approved yet are notes.
func (f Finding) Fails() bool {
	return !f.Note && f.Type != FindingUnsupported && f.Type != FindingUnknownUpdate
}

// AttestationResult is the Verifier's judgement of one Evidence.
//
// A tampered finding means one of two things, and the vector tells them apart.
// Forged Evidence makes instance_identity contraindicated: no tier affirms, and
// nothing that the Evidence says is passed on, neither claims nor clock. Genuine
// Evidence of a boot that was tampered with makes executables contraindicated
// (and hardware, where it is the firmware): the device is denied all the same,
// but it is this device, and its claims and clock are known.
type AttestationResult struct {
	DeviceID string      `json:"device_id"`
	Vector   TrustVector `json:"vector"`
	Findings []Finding   `json:"findings,omitempty"`
	Claims   []Claim     `json:"claims,omitempty"`
	Clock    TPMClock    `json:"clock"`
	// IssuedAt is when the nonce was issued: the Evidence's age counts from here.
	IssuedAt   time.Time `json:"issued_at"`
	ValidUntil time.Time `json:"valid_until"`
}

// Standing says whether a device can be relied on right now.
type Standing string

// Standings. The zero value is unknown and counts as stale.
const (
	StandingUnknown Standing = ""
	StandingFresh   Standing = "fresh"
	StandingSilent  Standing = "silent" // fresh Evidence, but the agent's connection is gone
	StandingStale   Standing = "stale"
	StandingRefused Standing = "refused" // the last Evidence was refused: tampered or forged
)

// DeviceStanding is the appraisal's present view of one device.
type DeviceStanding struct {
	DeviceID string            `json:"device_id"`
	Standing Standing          `json:"standing"`
	Result   AttestationResult `json:"result"`
	// ChangesAt is when Standing changes by time alone, if nothing arrives;
	// zero if it does not.
	ChangesAt time.Time `json:"changes_at"`
	// Revision grows with every change of this device's standing.
	Revision uint64 `json:"revision"`
}
