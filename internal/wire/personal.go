package wire

import "time"

// Personal is what a person is shown of themselves: what is known, what was
// decided, and what they said to it (requirements 25, 30, 31).
type Personal struct {
	Person     Person
	AgencyZH   string
	AgencyEN   string
	SignedInAt time.Time
	Devices    []PersonalDevice
	Keys       []PersonalKey
	// Decisions are the latest first. Partial says that the log was not read to
	// its beginning, so that there may be older ones.
	Decisions []PersonalDecision
	Partial   bool
	Appeals   []Appeal
}

// PersonalDevice is a laptop that the person has used, or that is theirs.
type PersonalDevice struct {
	Name     string
	Standing Standing
	// EvidenceAt is when the nonce of its last proof of health was issued.
	EvidenceAt time.Time
	// Failing is how many claims failed or could not be measured.
	Failing int
	// Here says that the decision shown first came from it.
	Here bool
}

// PersonalKey is a security key of the person.
type PersonalKey struct {
	Nickname   string
	Model      string
	AddedAt    time.Time
	LastUsedAt time.Time
	Revoked    bool
	// Here says that it was touched for this sign-in.
	Here bool
}

// PersonalDecision is one decision about the person.
type PersonalDecision struct {
	ID       string
	At       time.Time
	Portal   Portal
	Device   string
	Network  string
	Effect   Effect
	ReadOnly bool
	Action   Action
	Policy   string
	Reasons  []Reason
	Trust    RecordedTrust
	// Appealed is what the person said to it, if anything.
	Appealed AppealKind
}
