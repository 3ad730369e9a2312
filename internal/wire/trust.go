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

// Observation is one sign-in or refresh, as plugins see it: pseudonymous, with
// the features that they asked for and no name.
type Observation struct {
	// Person is a pseudonym, stable for one person on one PDP.
	Person   string    `json:"person"`
	Device   string    `json:"device"` // pseudonym
	At       time.Time `json:"at"`
	IP       string    `json:"ip"`
	ZoneMins int       `json:"zone_minutes"` // offset of the local time zone, east positive
	// Success says that the sign-in ended well; only such ones teach.
	Success bool `json:"success"`
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
}

// TrustTerm is one line of an assessment, in nats.
type TrustTerm struct {
	Name    string   `json:"name"` // plugin, cluster or gate
	Cluster Cluster  `json:"cluster,omitempty"`
	Nats    float64  `json:"nats"`
	State   string   `json:"state"` // answered, abstained, missing, gate, cluster
	Reasons []Reason `json:"reasons,omitempty"`
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
	Weights    string      `json:"weights"` // version of weights.yaml
}
