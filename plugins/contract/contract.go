// Package contract is what the PDP and its inference plugins agree on: the
// protobuf contract in inferencepb, the versioned handshake of go-plugin, and
// a small SDK. An author implements Plugin and calls Serve from main:
//
//	func main() { contract.Serve(mine{}) }
//
// A plugin sees pseudonyms and only the features it asks for in Describe. It
// must be ready for anything in an Observation, answer within the call's
// context, and abstain where it knows nothing: an invented opinion is worse
// than none. Run the suite of plugins/contracttest on the built program.
//
// Guarantees of the SDK: a panic in one call fails that call alone; inputs
// larger than the bounds below are refused before the plugin sees them.
package contract

import (
	"context"
	"time"
)

// Bounds of what crosses the contract.
const (
	MaxBatch        = 512
	MaxMessageBytes = 1 << 20
	MaxTextBytes    = 256
	MaxReasons      = 8
)

// Cluster groups plugins whose verdicts are correlated.
type Cluster int32

// Clusters, numbered as in inference.proto.
const (
	ClusterUnknown Cluster = iota
	ClusterNetwork
	ClusterDevice
	ClusterTime
	ClusterBehaviour
	ClusterPosture
)

// Feature is a part of an Observation that a plugin may ask for.
type Feature int32

// Features, numbered as in inference.proto.
const (
	FeatureUnknown Feature = iota
	FeatureDevice
	FeatureIP
	FeatureZone
)

// Description is what a plugin is.
type Description struct {
	Name     string
	Version  string
	Cluster  Cluster
	Features []Feature
}

// Observation is one sign-in or refresh, pseudonymous.
type Observation struct {
	Person      string
	Device      string
	At          time.Time
	IP          string
	ZoneMinutes int
	Success     bool
}

// Reason is a code with arguments; the PDP holds the texts.
type Reason struct {
	Code string
	Args map[string]string
}

// Verdict is a plugin's opinion of one Observation.
type Verdict struct {
	// LLR is ln( P(facts | this person) / P(facts | an impostor) ).
	LLR float64
	// Confidence is 0 to 1.
	Confidence float64
	// Abstained says that there is no opinion, for lack of history or features.
	Abstained bool
	// TTL is how long the opinion holds from now.
	TTL     time.Duration
	Reasons []Reason
}

// Plugin is what an author implements. All methods may be called at once.
type Plugin interface {
	// Describe never changes its answer.
	Describe() Description
	// Observe learns from sign-ins, each person's oldest first, and returns how many taught
	// something. Failed ones never do; one may come twice.
	Observe(ctx context.Context, observations []Observation) (learned int, err error)
	// Assess judges one situation and learns nothing.
	Assess(ctx context.Context, o Observation) (Verdict, error)
	// Ready reports whether the plugin can work.
	Ready() bool
}
