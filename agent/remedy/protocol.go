package remedy

import (
	"errors"
	"time"
)

// Name is one remedy; it is named as the claim that it puts right.
type Name string

// The remedies.
const (
	Firewall    Name = "firewall"
	AutoUpdates Name = "automatic-updates"
	TimeSync    Name = "time-sync"
)

// Names are all of them.
func Names() []Name { return []Name{Firewall, AutoUpdates, TimeSync} }

// State is where a remedy stands.
type State struct {
	Name Name `json:"name"`
	// Allowed says that the administrator of this machine permits it.
	Allowed bool `json:"allowed"`
	// Recorded says that there is something to undo, Applied that it was done
	// to its end.
	Recorded bool      `json:"recorded"`
	Applied  bool      `json:"applied"`
	At       time.Time `json:"at,omitzero"`
}

// Do is what is asked.
type Do string

// What can be asked.
const (
	DoList  Do = "list"
	DoApply Do = "apply"
	DoUndo  Do = "undo"
)

// Problem is why a remedy was not applied or undone.
type Problem string

// Problems.
const (
	ProblemNotAllowed Problem = "not-allowed" // by agent.yaml
	ProblemNothing    Problem = "nothing"     // to undo
	ProblemFailed     Problem = "failed"
	ProblemQuestion   Problem = "question" // not understood
)

// Errors that a caller may match.
var (
	// ErrUnreachable: no remedy process answers; it is off unless an
	// administrator switched it on.
	ErrUnreachable = errors.New("remedy: not reachable")
	ErrNotAllowed  = errors.New("remedy: not allowed on this machine")
	ErrNothing     = errors.New("remedy: there is nothing to undo")
	ErrFailed      = errors.New("remedy: failed")
	// ErrUnsupported: this operating system has no remedies yet.
	ErrUnsupported = errors.New("remedy: not supported on this system yet")
)

// version of the questions, as the helper's.
const version = 1

// Bounds.
const (
	maxQuestion    = 256
	maxAnswer      = 64 << 10
	maxConnections = 4
	questionTime   = 5 * time.Second
	actionTime     = 60 * time.Second
)

// question is the one line that a connection carries.
type question struct {
	V      int  `json:"v"`
	Do     Do   `json:"do"`
	Remedy Name `json:"remedy,omitempty"`
}

// answer is the line back.
type answer struct {
	States  []State `json:"states,omitempty"`
	Problem Problem `json:"problem,omitempty"`
	// Detail is in English, for the log and for whoever looks deeper.
	Detail string `json:"detail,omitempty"`
}
