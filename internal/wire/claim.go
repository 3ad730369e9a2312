package wire

import "time"

// ClaimID names one thing that the agent measures.
type ClaimID string

// The claims that the agent measures.
const (
	ClaimOSRelease      ClaimID = "os-release"
	ClaimOSUpdates      ClaimID = "os-updates"
	ClaimDiskEncryption ClaimID = "disk-encryption"
	ClaimFirewall       ClaimID = "firewall"
	ClaimSecureBoot     ClaimID = "secure-boot"
	ClaimScreenLock     ClaimID = "screen-lock"
	ClaimAntivirus      ClaimID = "antivirus"
	ClaimAutoUpdates    ClaimID = "automatic-updates"
	ClaimAdministrators ClaimID = "administrators"
	ClaimTimeSync       ClaimID = "time-sync"
	ClaimKernelLockdown ClaimID = "kernel-lockdown"
	ClaimUSBStorage     ClaimID = "usb-storage"
)

// The claims that the PDP makes of what the agent measured.
const (
	// ClaimBaseline is the configuration baseline (GCB) as a whole.
	ClaimBaseline ClaimID = "gcb"
	// ClaimVulnerabilities is that no known exploited vulnerability is older
	// than the policy permits.
	ClaimVulnerabilities ClaimID = "known-exploited"
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
	// Problem says in English why State is not pass.
	Problem string `json:"problem,omitempty"`
	// TWGCB and Baseline name the GCB rule and the baseline's version where
	// the claim has one (requirements 26).
	TWGCB    string `json:"twgcb,omitempty"`
	Baseline string `json:"baseline,omitempty"`
}

// Claims is the document whose exact bytes Evidence carries and the quote binds.
type Claims struct {
	Claims []Claim `json:"claims"`
	// Baselines are the configuration baselines that the agent measured.
	Baselines []BaselineReport `json:"baselines,omitempty"`
	// Inventory is SHA-256 over the software inventory's bytes, which are sent
	// apart when they changed; empty where there is none.
	Inventory []byte `json:"inventory,omitempty"`
}

// BaselineReport is how a device stands to one configuration baseline
// (requirements 26 to 28).
type BaselineReport struct {
	// Baseline and Version name it, such as "TWGCB-01-014" and "1.2".
	Baseline string `json:"baseline"`
	Version  string `json:"version"`
	// RuleSet is SHA-256 over the rule files that were measured.
	RuleSet []byte       `json:"rule_set"`
	Results []RuleResult `json:"results"`
}

// RuleResult is one rule of a baseline.
type RuleResult struct {
	Rule  string     `json:"rule"` // such as "TWGCB-01-014-0153"
	State ClaimState `json:"state"`
	// Seen is the effective value, or in English why there is none.
	Seen string `json:"seen,omitempty"`
}
