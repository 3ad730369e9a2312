package wire

import "time"

// Cluster groups plugins whose verdicts are correlated.
type Cluster string

// Clusters of the fusion.
const (
	ClusterNetwork   Cluster = "network"
	ClusterDevice    Cluster = "device"
	ClusterTime      Cluster = "time"
	ClusterBehaviour Cluster = "behaviour"
	ClusterPosture   Cluster = "posture"
)

// ObservationKind is what an Observation tells.
type ObservationKind string

// Kinds of observations.
const (
	// ObservedSituation is a sign-in or a live session to be judged; it is never taught.
	ObservedSituation ObservationKind = ""
	// ObservedSignIn is a sign-in that ended well.
	ObservedSignIn ObservationKind = "sign-in"
	// ObservedFailure is a sign-in that failed; Person is whose account was tried.
	ObservedFailure ObservationKind = "failed-sign-in"
	// ObservedActivity is what a session did since its last observation.
	ObservedActivity ObservationKind = "activity"
)

// Observation is one thing that happened or is to be judged, as plugins may
// see it: each sees the features that it asked for. Person, Group, Device and
// Portal are pseudonyms, stable on one PDP; there is no name.
type Observation struct {
	Kind   ObservationKind `json:"kind,omitempty"`
	Person string          `json:"person"`
	// Group is the person's peers.
	Group  string    `json:"group,omitempty"`
	Device string    `json:"device"`
	At     time.Time `json:"at"`
	// IP is the first address of the client's network (design §4), Address the
	// whole address; it is never kept.
	IP      string `json:"ip"`
	Address string `json:"-"`
	// ZoneMins is the offset of the local time zone, east positive, as the
	// browser said it; without ZoneKnown it is not known.
	ZoneMins  int  `json:"zone_minutes"`
	ZoneKnown bool `json:"zone_known,omitempty"`
	// Portal is a pseudonym.
	Portal string `json:"portal,omitempty"`
	Grade  string `json:"grade,omitempty"` // read, write or admin
	// Requests of the session over the time Over.
	Requests uint64          `json:"requests,omitempty"`
	Over     time.Duration   `json:"over,omitempty"`
	Posture  []ObservedClaim `json:"posture,omitempty"`
	// Files are SHA-256 digests, hexadecimal, of files that the device ran.
	Files []string `json:"files,omitempty"`
}

// ObservedClaim is a health claim's id and state, without its value.
type ObservedClaim struct {
	ID    string `json:"id"`
	State string `json:"state"`
}

// Verdict is a plugin's answer. Abstained verdicts carry no LLR.
type Verdict struct {
	Plugin  string  `json:"plugin"`
	Cluster Cluster `json:"cluster"`
	// LLR is the natural logarithm of P(facts | this person) / P(facts | an
	// impostor): positive speaks for the person.
	LLR        float64 `json:"llr"`
	Confidence float64 `json:"confidence"` // 0 to 1
	Abstained  bool    `json:"abstained,omitempty"`
	// Missing says that the plugin gave no usable answer: dead, late, or out
	// of bounds. Reasons then say which.
	Missing    bool          `json:"missing,omitempty"`
	ObservedAt time.Time     `json:"observed_at"`
	TTL        time.Duration `json:"ttl"`
	Reasons    []Reason      `json:"reasons,omitempty"`
	// Version is the plugin's.
	Version string `json:"version,omitempty"`
}

// TrustTerm is one line of an assessment, in nats.
type TrustTerm struct {
	Name    string   `json:"name"` // plugin, cluster or gate
	Cluster Cluster  `json:"cluster,omitempty"`
	Nats    float64  `json:"nats"`
	State   string   `json:"state"` // answered, abstained, missing, muted, shadow, gate, cluster, held
	Reasons []Reason `json:"reasons,omitempty"`
	// Version is the plugin's.
	Version string `json:"version,omitempty"`
}

// TrustAssessment is the fusion's answer for one session.
type TrustAssessment struct {
	Nats float64 `json:"nats"`
	// Score is 100·σ(Nats), rounded down.
	Score int `json:"score"`
	// Coverage is the share of registered plugins that answered, 0 to 1.
	Coverage   float64     `json:"coverage"`
	Terms      []TrustTerm `json:"terms,omitempty"`
	AssessedAt time.Time   `json:"assessed_at"`
	ValidUntil time.Time   `json:"valid_until"`
	Weights    string      `json:"weights"` // version and digest of the constants
	// Latched is the officer's override by which nothing is allowed, Muted those
	// by which alarms do not count (requirements 31).
	Latched string   `json:"latched,omitempty"`
	Muted   []string `json:"muted,omitempty"`
}

// OverrideKind is an officer's word about somebody's trust.
type OverrideKind string

// Kinds of overrides.
const (
	// OverrideCompromised denies everything until an officer lifts it.
	OverrideCompromised OverrideKind = "compromised"
	// OverrideSafe mutes named reasons of plugins for a time.
	OverrideSafe OverrideKind = "safe"
)

// TrustOverride is one officer's word, about exactly one person, device or
// session of the officer's agency (requirements 31).
type TrustOverride struct {
	ID      string       `json:"id"`
	Agency  string       `json:"agency"`
	Kind    OverrideKind `json:"kind"`
	Person  string       `json:"person,omitempty"`
	Device  string       `json:"device,omitempty"`
	Session string       `json:"session,omitempty"`
	// Codes are the reasons that "safe" mutes: a code, or plugin/code.
	Codes  []string  `json:"codes,omitempty"`
	Reason string    `json:"reason"`
	By     string    `json:"by"`
	Since  time.Time `json:"since"`
	// Until is zero for "compromised": an officer lifts it.
	Until time.Time `json:"until,omitzero"`
}

// ShadowCount is how often a candidate would have decided otherwise at a
// portal. Was and Would are effects.
type ShadowCount struct {
	Candidate string `json:"candidate"`
	Portal    string `json:"portal"`
	Was       string `json:"was"`
	Would     string `json:"would"`
	Decisions uint64 `json:"decisions"`
}
