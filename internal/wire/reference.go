package wire

import (
	"crypto/sha256"
	"time"
)

// ReferenceState says what a reference value stands for (RFC 9334, 8.3).
type ReferenceState string

// Reference states. The zero value stands for nothing and matches nothing.
const (
	ReferenceCurrent ReferenceState = "current"
	// ReferenceNext is accepted too: what an update will bring.
	ReferenceNext ReferenceState = "next"
	// ReferenceSuperseded was accepted once: a machine that shows it again was
	// rolled back.
	ReferenceSuperseded ReferenceState = "superseded"
)

// ReferenceKey names a place in a boot that has reference values.
type ReferenceKey struct {
	PCR  int             `json:"pcr"`
	Kind MeasurementKind `json:"kind"`
	Name string          `json:"name"`
}

// KeyOf is the place that m was measured at.
func KeyOf(m Measurement) ReferenceKey {
	return ReferenceKey{PCR: m.PCR, Kind: m.Kind, Name: m.Name}
}

// ReferenceValue is one digest that is known for a place.
type ReferenceValue struct {
	Digest [sha256.Size]byte
	State  ReferenceState
	// Bundle names where the value comes from, Note what it is, for people.
	Bundle, Note string
	// Members are those of the Measurement, where there are any; of a command
	// line, its GeneralCommandLineDigest.
	Members [][]byte
}

// ReferenceSet is everything that one agency's devices are held against. It is
// shared: read only.
type ReferenceSet struct {
	// Version is a digest over the set's content; empty where an agency has no
	// reference values at all.
	Version string
	Values  map[ReferenceKey][]ReferenceValue
	// Files is the allow list of the Linux IMA measurement list: SHA-256 of a
	// file's content, to its path. Nil where no bundle has one.
	Files map[[sha256.Size]byte]string
}

// Exception is an agency's permission for a claim or a baseline's rule to fail
// (requirements 27).
type Exception struct {
	ID     string `json:"id"`
	Agency string `json:"agency"`
	// Device is the id of the one device it is for; empty for all the agency's.
	Device string `json:"device,omitempty"`
	// Claim names a claim; Baseline and Rule a rule of a baseline. One of the two.
	Claim    ClaimID `json:"claim,omitempty"`
	Baseline string  `json:"baseline,omitempty"`
	Rule     string  `json:"rule,omitempty"`
	// Unmeasured extends it to a rule or claim that cannot be measured.
	Unmeasured bool      `json:"unmeasured,omitempty"`
	Reason     string    `json:"reason"`
	Approver   string    `json:"approver"`
	Since      time.Time `json:"since"`
	Until      time.Time `json:"until"`
}
