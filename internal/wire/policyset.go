package wire

import "time"

// PolicyState is where an access policy set stands in its life. The zero value
// is none.
type PolicyState string

// Policy states (requirements 12).
const (
	// PolicyDraft was submitted and can be loaded; nobody has vouched for it.
	PolicyDraft PolicyState = "draft"
	// PolicyStaged is a candidate that an officer vouched for.
	PolicyStaged PolicyState = "staged"
	// PolicyShadow is the candidate that is evaluated beside the set in force.
	PolicyShadow PolicyState = "shadow"
	// PolicyActive is the one set in force.
	PolicyActive PolicyState = "active"
	// PolicySuperseded was in force once.
	PolicySuperseded PolicyState = "superseded"
)

// PolicyStep is one change of a set's state.
type PolicyStep struct {
	State PolicyState `json:"state"`
	By    string      `json:"by"`
	At    time.Time   `json:"at"`
}

// PolicyApproval is an officer's word that a set shall take the place of
// another.
type PolicyApproval struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
	// Against is the number of the last activation when it was given: it counts
	// against that one alone.
	Against uint64 `json:"against"`
}

// PolicySet is a kept access policy set without its files.
type PolicySet struct {
	// Version is the content's hash, as decisions name it.
	Version string      `json:"version"`
	State   PolicyState `json:"state"`
	// Configured says that it is the baseline or the configured folder: it was
	// not submitted, and nobody approved it.
	Configured bool   `json:"configured,omitempty"`
	Note       string `json:"note,omitempty"`
	Files      int    `json:"files"`
	Policies   int    `json:"policies"`
	// Digest is SHA-256 over the canonical form of the files.
	Digest HexDigest `json:"digest"`
	// Approvals are those towards its activation that count now.
	Approvals []PolicyApproval `json:"approvals,omitempty"`
	History   []PolicyStep     `json:"history"`
}

// PolicySetView is a kept set with its files, by name.
type PolicySetView struct {
	Set   PolicySet         `json:"set"`
	Files map[string]string `json:"files"`
}

// PolicyAnswer is a decision as the people concerned feel it. The zero value is
// none.
type PolicyAnswer string

// Policy answers, the strictest first.
const (
	AnswerDeny     PolicyAnswer = "deny"
	AnswerStepUp   PolicyAnswer = "step-up"
	AnswerReadOnly PolicyAnswer = "read-only"
	AnswerAllow    PolicyAnswer = "allow"
)

// AnswerOf reads a decision's effect and its obligation to read only.
func AnswerOf(d *Decision) PolicyAnswer {
	switch {
	case d.Effect == Allow && d.Obligations.ReadOnly:
		return AnswerReadOnly
	case d.Effect == Allow:
		return AnswerAllow
	case d.Effect == StepUp:
		return AnswerStepUp
	}
	return AnswerDeny
}

// Rank orders answers by how much they open; what is no answer opens nothing.
func (a PolicyAnswer) Rank() int {
	switch a {
	case AnswerAllow:
		return 3
	case AnswerReadOnly:
		return 2
	case AnswerStepUp:
		return 1
	}
	return 0
}

// PolicyShadowReport tells how the set in shadow differs from the one in force.
type PolicyShadowReport struct {
	Version string `json:"version"`
	Against string `json:"against"`
	// Since is when counting began: when it entered the shadow, when another
	// set came into force, or when the PDP started.
	Since time.Time `json:"since"`
	// Judged decisions were put to both sets. Dropped ones were not: decisions
	// came faster than they could be looked at. Failed ones could not be judged.
	Judged  uint64 `json:"judged"`
	Dropped uint64 `json:"dropped"`
	Failed  uint64 `json:"failed"`
	// Differences are the most frequent first; Unlisted counts those that no
	// row was left for.
	Differences []PolicyDifference `json:"differences"`
	Unlisted    uint64             `json:"unlisted"`
}

// PolicyDifference counts decisions that two sets answer differently.
type PolicyDifference struct {
	Was    PolicyAnswer `json:"was"`
	Now    PolicyAnswer `json:"now"`
	Portal string       `json:"portal"`
	Action Action       `json:"action"`
	// Rules are the determining policies of the stricter answer.
	Rules []string `json:"rules"`
	Count uint64   `json:"count"`
	// Examples are ids of decisions, the first few.
	Examples []string `json:"examples"`
}

// PolicyWhatIf tells how the recorded decisions of a time would have gone under
// another policy set. It knows of nobody who was not there.
type PolicyWhatIf struct {
	Version string    `json:"version"`
	Against string    `json:"against"`
	Since   time.Time `json:"since"`
	Until   time.Time `json:"until"`
	Portal  string    `json:"portal,omitempty"`
	// Decisions were judged by both sets; OtherVersions of them were taken by a
	// set that is not in force any more.
	Decisions     uint64 `json:"decisions"`
	OtherVersions uint64 `json:"other_versions"`
	People        int    `json:"people"`
	// A person counts once, by the worst that the draft brings them: Losing,
	// then SteppingUp, then ReadingOnly, then Gaining.
	Losing      PolicyEffect `json:"losing"`
	SteppingUp  PolicyEffect `json:"stepping_up"`
	ReadingOnly PolicyEffect `json:"reading_only"`
	Gaining     PolicyEffect `json:"gaining"`
	// Failures are recorded decisions that could not be judged, by reason.
	Failures []PolicyFailure `json:"failures,omitempty"`
	// Truncated is why not all of the time was replayed; its code is empty if
	// all was.
	Truncated Reason `json:"truncated,omitzero"`
}

// PolicyEffect is what a draft does to some people.
type PolicyEffect struct {
	People   int              `json:"people"`
	Examples []PolicyAffected `json:"examples,omitempty"`
}

// PolicyAffected is one person of a PolicyEffect, by one of their decisions.
type PolicyAffected struct {
	Person   string       `json:"person"`
	Agency   string       `json:"agency"` // the portal's
	Portal   string       `json:"portal"`
	Action   Action       `json:"action"`
	Decision string       `json:"decision"`
	At       time.Time    `json:"at"`
	Was      PolicyAnswer `json:"was"`
	Now      PolicyAnswer `json:"now"`
	// Reasons are the codes of the draft's answer.
	Reasons []string `json:"reasons,omitempty"`
}

// PolicyFailure counts recorded decisions that could not be judged.
type PolicyFailure struct {
	Why   Reason `json:"why"`
	Count uint64 `json:"count"`
}
