// Package contract is what the PDP and its inference plugins agree on: the
// protobuf contract in inferencepb, the versioned handshake of go-plugin, and
// a small SDK. An author implements Plugin and calls Serve from main:
//
//	func main() { contract.Serve(mine{}) }
//
// A plugin sees pseudonyms and only the features and kinds it asks for in
// Describe. It must be ready for anything in an Observation, answer within the
// call's context, and abstain where it knows nothing: an invented opinion is
// worse than none. What it keeps of people belongs into a People, which bounds
// it, forgets it in time and hands it to the next version. Run the suite of
// plugins/contracttest on the built program.
//
// Guarantees of the SDK: a panic in one call fails that call alone; inputs
// larger than the bounds below are refused before the plugin sees them.
//
// Version 2 is spoken by what is built with this package. A host speaks
// version 1 too, so that a plugin built long ago keeps working; it sees what
// version 1 had.
package contract

import (
	"context"
	"io"
	"time"
)

// Bounds of what crosses the contract.
const (
	MaxBatch        = 512
	MaxMessageBytes = 1 << 20
	MaxTextBytes    = 256
	MaxReasons      = 8
	MaxTexts        = 32
	MaxClaims       = 256
	MaxFiles        = 4096
	MaxFileBytes    = 64 // of one digest
	// MaxStateBytes bounds what a plugin hands to its next version.
	MaxStateBytes = 64 << 20
)

// Cluster groups plugins whose verdicts are correlated.
type Cluster int32

// Clusters, numbered as in inference_v2.proto.
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

// Features, numbered as in inference_v2.proto.
const (
	FeatureUnknown Feature = iota
	FeatureDevice
	FeatureNetwork
	FeatureZone
	FeatureAddress
	FeatureGroup
	FeaturePortal
	FeatureGrade
	FeatureRequests
	FeaturePosture
	FeatureFiles
)

// Kind is what an Observation tells.
type Kind int32

// Kinds, numbered as in inference_v2.proto.
const (
	// KindSituation is a sign-in or a live session to be judged; it is never taught.
	KindSituation Kind = iota
	// KindSignIn is a sign-in that ended well.
	KindSignIn
	// KindFailedSignIn is one that failed; Person is whose account was tried.
	KindFailedSignIn
	// KindActivity is what a session did since its last observation.
	KindActivity
)

// Description is what a plugin is.
type Description struct {
	Name    string
	Version string
	Cluster Cluster
	// Features that it wants; the others arrive empty.
	Features []Feature
	// Kinds that it wants to be taught; none means KindSignIn.
	Kinds []Kind
	// Keeps says in a sentence each what it keeps of a person, and Retention
	// for how long at most.
	Keeps     []string
	Retention time.Duration
	// Texts of reasons that are its own.
	Texts []ReasonText
	// Network says that it needs TCP connections to other machines.
	Network bool
}

// ReasonText is a reason of the plugin's own in both languages. {name} in a
// text stands for the argument of that name.
type ReasonText struct {
	Code    string // lower-case letters, digits and hyphens
	English string
	Chinese string
}

// Claim is one health claim of a device and its state (pass, fail, …).
type Claim struct{ ID, State string }

// Observation is one thing that happened, or that is to be judged. Person,
// Group, Device and Portal are pseudonyms.
type Observation struct {
	Kind   Kind
	Person string
	// Group is the person's peers.
	Group  string
	Device string
	At     time.Time
	// Network is the first address of the client's network (an IPv4 /24, an
	// IPv6 /56), Address the whole address.
	Network string
	Address string
	// ZoneMinutes is the client's offset from UTC, east positive, as its
	// browser said it; it is 0 where it is not known, and for UTC if ZoneKnown.
	ZoneMinutes int
	ZoneKnown   bool
	Portal      string
	Grade       string // read, write or admin
	// Requests of this session over the time Over.
	Requests uint64
	Over     time.Duration
	Posture  []Claim
	// Files are SHA-256 digests, hexadecimal, of files that the device ran.
	Files []string
}

// Reason is a code with arguments: one of the PDP's codes (ZT-TRU-nnn), whose
// texts the PDP holds, or one of the plugin's own Texts.
type Reason struct {
	Code string
	Args map[string]string
}

// Verdict is a plugin's opinion of one Observation.
type Verdict struct {
	// LLR is ln( P(facts | this person) / P(facts | an impostor) ), in nats.
	LLR float64
	// Confidence is 0 to 1.
	Confidence float64
	// Abstained says that there is no opinion, for lack of history or features.
	Abstained bool
	// TTL is how long the opinion holds from now.
	TTL     time.Duration
	Reasons []Reason
}

// Feedback is an officer's word on an observation of the past.
type Feedback struct {
	Observation Observation
	// Genuine says that it was the person.
	Genuine bool
}

// Plugin is what an author implements. All methods may be called at once.
type Plugin interface {
	// Describe never changes its answer.
	Describe() Description
	// Observe learns from what happened, each person's oldest first, and
	// returns how many taught something. One may come twice.
	Observe(ctx context.Context, observations []Observation) (learned int, err error)
	// Assess judges one situation and learns nothing.
	Assess(ctx context.Context, o Observation) (Verdict, error)
	// Ready reports whether the plugin can work.
	Ready() bool
}

// Learner is a Plugin that takes officers' feedback. What is not a Learner
// learns nothing from it.
type Learner interface {
	Learn(ctx context.Context, f Feedback) error
}

// Keeper is a Plugin that keeps something of people. What is not a Keeper has
// nothing to hand over and nothing to forget.
type Keeper interface {
	// Export writes the state, at most MaxStateBytes.
	Export(w io.Writer) error
	// Import takes a whole state in place of its own, to the reader's end; on an
	// error it keeps its own.
	Import(r io.Reader) error
	// Forget drops all that is kept of a person.
	Forget(person string)
}
