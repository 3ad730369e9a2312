package wire

import (
	"slices"
	"time"
)

// Remedies are the claims that an agent can put right, where the administrator
// of its machine allows it.
func Remedies() []ClaimID { return []ClaimID{ClaimFirewall, ClaimAutoUpdates, ClaimTimeSync} }

// Remediable reports whether there is a remedy for the claim.
func (c ClaimID) Remediable() bool { return slices.Contains(Remedies(), c) }

// MaxRemedyProblem bounds each argument of a RemedyReport's reason, in bytes.
const MaxRemedyProblem = 512

// RemedyReport is POST /v1/remedy: how the remedy ended that a command asked
// for.
type RemedyReport struct {
	Command string  `json:"command"` // its id
	Claim   ClaimID `json:"claim"`
	// Done says that it was applied; Reason says why it was not.
	Done   bool    `json:"done"`
	Reason *Reason `json:"reason,omitempty"`
}

// RemedyTaken answers RemedyReport.
type RemedyTaken struct {
	Accepted bool `json:"accepted"`
}

// RepairLife is how long the PDP waits for a remedy's outcome, and how long it
// then tells of it.
const RepairLife = 5 * time.Minute

// RepairStage is how far a repair has come; each is told once it has happened.
type RepairStage string

// Stages of a repair, in order.
const (
	RepairSent      RepairStage = "sent"      // it waits for the agent
	RepairTaken     RepairStage = "taken"     // the agent has it
	RepairMeasuring RepairStage = "measuring" // applied; the device measures again
	RepairEnded     RepairStage = "ended"     // Done says how
)

// Repair is a remedy that an administrator asked for.
type Repair struct {
	ID    string      `json:"id"` // the command's
	Claim ClaimID     `json:"claim"`
	Stage RepairStage `json:"stage"`
	// Done says that the agent applied it, Reason why not.
	Done   bool    `json:"done"`
	Reason *Reason `json:"reason,omitempty"`
	// Measured says that Evidence came afterwards; State is the claim's in it,
	// empty where the Evidence does not tell.
	Measured bool       `json:"measured"`
	State    ClaimState `json:"state,omitempty"`
}
