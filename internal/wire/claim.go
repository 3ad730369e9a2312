package wire

import "time"

// ClaimID names one thing that the agent measures.
type ClaimID string

// The claims that the agent measures on Linux.
const (
	ClaimOSRelease      ClaimID = "os-release"
	ClaimDiskEncryption ClaimID = "disk-encryption"
	ClaimFirewall       ClaimID = "firewall"
	ClaimSecureBoot     ClaimID = "secure-boot"
)

// ClaimState is a result state of a configuration check (requirements 27). The
// zero value is no state at all and counts as an error.
type ClaimState string

// Result states.
const (
	ClaimPass          ClaimState = "pass"
	ClaimFail          ClaimState = "fail"
	ClaimError         ClaimState = "error" // could not be measured
	ClaimNotApplicable ClaimState = "not-applicable"
	ClaimManual        ClaimState = "manual"
	ClaimException     ClaimState = "exception"
)

// Valid reports whether s is one of the six result states.
func (s ClaimState) Valid() bool {
	switch s {
	case ClaimPass, ClaimFail, ClaimError, ClaimNotApplicable, ClaimManual, ClaimException:
		return true
	}
	return false
}

// Claim is what the agent says of one thing. It is the operating system's word
// about itself and counts for no more than the boot under it.
type Claim struct {
	ID    ClaimID    `json:"id"`
	State ClaimState `json:"state"`
	// Value holds what was read, by name: for os-release "id" and
	// "version_id" as in os-release(5), for others free and for people.
	Value      map[string]string `json:"value,omitempty"`
	MeasuredAt time.Time         `json:"measured_at"`
	Source     string            `json:"source"`
	// Problem says in English why State is error or not-applicable.
	Problem string `json:"problem,omitempty"`
	// TWGCB and Baseline name the GCB rule and the baseline's version where
	// the claim has one (requirements 26).
	TWGCB    string `json:"twgcb,omitempty"`
	Baseline string `json:"baseline,omitempty"`
}

// Claims is the document whose exact bytes Evidence carries and the quote binds.
type Claims struct {
	Claims []Claim `json:"claims"`
}
