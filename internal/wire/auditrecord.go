package wire

import "time"

// AuditKind names what an audit record tells of.
type AuditKind string

// Audit kinds.
const (
	AuditDecision  AuditKind = "decision"
	AuditUses      AuditKind = "uses" // further uses of a decision, counted
	AuditSignIn    AuditKind = "sign-in"
	AuditKeyAdded  AuditKind = "key-added"
	AuditEnrolment AuditKind = "enrolment"
	AuditAppraisal AuditKind = "appraisal"
	AuditAdmin     AuditKind = "admin"
	AuditRemedy    AuditKind = "remedy" // how one ended that an administrator asked for
	// AuditEvaluation is one request of an application that asked about its
	// own subjects, actions and resources.
	AuditEvaluation AuditKind = "evaluation"
	AuditSystem     AuditKind = "system"
	AuditSignal     AuditKind = "signal" // what others reported, and what befell a stream of events
)

// AuditRecord is one line of the audit log before it is chained.
type AuditRecord struct {
	Kind   AuditKind `json:"kind"`
	At     time.Time `json:"at"`
	Agency string    `json:"agency,omitempty"`
	// Subject, Device, Portal, Session and Decision are ids where they apply.
	Subject  string `json:"subject,omitempty"`
	Device   string `json:"device,omitempty"`
	Portal   string `json:"portal,omitempty"`
	Session  string `json:"session,omitempty"`
	Decision string `json:"decision,omitempty"`
	// Detail is the kind's own JSON document.
	Detail []byte `json:"detail,omitempty"`
	// Inputs are what a decision was computed from, sealed. The chain covers
	// them as they are, so it holds when nobody can open them any more.
	Inputs *SealedInputs `json:"inputs,omitempty"`
}
