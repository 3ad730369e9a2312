package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"
)

// HexDigest is a SHA-256 digest that is written as 64 small hexadecimal digits.
type HexDigest [sha256.Size]byte

var errHexDigest = errors.New("wire: a digest is 64 small hexadecimal digits")

// String returns the digits.
func (d HexDigest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText implements encoding.TextMarshaler.
func (d HexDigest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler. It reads one spelling.
func (d *HexDigest) UnmarshalText(text []byte) error {
	raw, err := hex.DecodeString(string(text))
	if err != nil || len(raw) != len(d) || hex.EncodeToString(raw) != string(text) {
		return errHexDigest
	}
	*d = HexDigest(raw)
	return nil
}

// AnyAgency stands for every agency in a bundle that a vendor made.
const AnyAgency = "*"

// Bundle is a document of reference values, as it is signed. Its canonical
// form is compact JSON with the fields in this order, the entries and files
// ascending, and no character escaped that need not be.
type Bundle struct {
	Schema  int           `json:"schema"` // 1
	Issuer  string        `json:"issuer"` // who answers for it, such as "moda" or a maker
	Agency  string        `json:"agency"` // the one that it is for, or AnyAgency
	ID      string        `json:"id"`     // such as "latitude-7440"
	Version uint64        `json:"version"`
	Created time.Time     `json:"created"` // whole seconds, UTC
	Note    string        `json:"note,omitempty"`
	Entries []BundleEntry `json:"entries,omitempty"`
	// Files is an allow list of files for the Linux IMA measurement list.
	Files []BundleFile `json:"files,omitempty"`
}

// BundleEntry is one value that a place in a boot may have.
type BundleEntry struct {
	PCR    int             `json:"pcr"`
	Kind   MeasurementKind `json:"kind"`
	Name   string          `json:"name"`
	Digest HexDigest       `json:"digest"`
	// Members are those of the ReferenceValue.
	Members []HexDigest `json:"members,omitempty"`
	Note    string      `json:"note,omitempty"`
}

// Key is the place that the entry is for.
func (e BundleEntry) Key() ReferenceKey {
	return ReferenceKey{PCR: e.PCR, Kind: e.Kind, Name: e.Name}
}

// BundleFile is one file that may run, by its content.
type BundleFile struct {
	Digest HexDigest `json:"digest"`
	Path   string    `json:"path"`
}

// SignedBundle is a bundle with its signature, as it is exchanged.
type SignedBundle struct {
	Bundle Bundle `json:"bundle"`
	// Key is SHA-256 over the signer's SubjectPublicKeyInfo.
	Key       HexDigest `json:"key"`
	Signature []byte    `json:"signature"`
}

// BundleState is where a bundle stands: draft, next, current, superseded; or
// retired, and then its values stand for nothing. The zero value is none.
type BundleState string

// Bundle states.
const (
	BundleDraft      BundleState = "draft"
	BundleNext       BundleState = "next"
	BundleCurrent    BundleState = "current"
	BundleSuperseded BundleState = "superseded"
	BundleRetired    BundleState = "retired"
)

// BundleStep is one change of a bundle's state, or an approval towards it.
type BundleStep struct {
	State BundleState `json:"state"`
	By    string      `json:"by"`
	At    time.Time   `json:"at"`
}

// BundleInfo is a bundle without its values.
type BundleInfo struct {
	ID      string      `json:"id"`
	Version uint64      `json:"version"`
	Agency  string      `json:"agency"`
	Issuer  string      `json:"issuer"`
	Note    string      `json:"note,omitempty"`
	State   BundleState `json:"state"`
	Created time.Time   `json:"created"`
	Entries int         `json:"entries"`
	Files   int         `json:"files"`
	// Digest is SHA-256 over the canonical form.
	Digest HexDigest `json:"digest"`
	// Signer is the key that signed it, empty for a draft that was learned.
	Signer string `json:"signer,omitempty"`
	// LearnedFrom names the devices that a learned bundle comes from.
	LearnedFrom []string `json:"learned_from,omitempty"`
	// Approvals are those of a draft that another administrator must approve too.
	Approvals []BundleStep `json:"approvals,omitempty"`
	History   []BundleStep `json:"history"`
}

// BundleView is a bundle as it is shown.
type BundleView struct {
	Info   BundleInfo `json:"info"`
	Bundle Bundle     `json:"bundle"`
}

// BundleSigner is a key whose bundles an agency trusts.
type BundleSigner struct {
	Key    HexDigest `json:"key"` // SHA-256 over SPKI
	Agency string    `json:"agency"`
	Issuer string    `json:"issuer"`
	// SPKI is the public key: Ed25519 or ECDSA P-256.
	SPKI    []byte     `json:"spki"`
	Added   BundleStep `json:"added"`
	Removed BundleStep `json:"removed,omitzero"`
}

// SeenValue is a value and the machines of the agency that show it now.
type SeenValue struct {
	Digest   HexDigest `json:"digest"`
	Note     string    `json:"note,omitempty"`
	Machines int       `json:"machines"`
	// First is the day that the first of these machines showed it; zero if none does.
	First time.Time `json:"first,omitzero"`
}

// BundleChange is a place whose values differ between two bundles.
type BundleChange struct {
	ReferenceKey
	Was []SeenValue `json:"was,omitempty"`
	Now []SeenValue `json:"now,omitempty"`
}

// BundleDiff is what a bundle changes against the current one of its id.
type BundleDiff struct {
	Info BundleInfo `json:"info"`
	// Against is the version compared with, 0 if there is none.
	Against    uint64         `json:"against"`
	Added      []BundleChange `json:"added,omitempty"`
	Changed    []BundleChange `json:"changed,omitempty"`
	Gone       []BundleChange `json:"gone,omitempty"`
	FilesAdded int            `json:"files_added"`
	FilesGone  int            `json:"files_gone"`
	// Warnings are what an administrator should know before approving.
	Warnings []Reason `json:"warnings,omitempty"`
}

// LearnRequest asks for a draft from machines' last boots: those of a group,
// or those that are named.
type LearnRequest struct {
	ID      string   `json:"id"`
	Group   string   `json:"group,omitempty"`
	Devices []string `json:"devices,omitempty"`
	Note    string   `json:"note,omitempty"`
}

// FleetDevice is how one device would stand.
type FleetDevice struct {
	ID        string        `json:"id"`
	Name      string        `json:"name"`
	Group     string        `json:"group,omitempty"`
	SeenAt    time.Time     `json:"seen_at"`
	Appraisal BootAppraisal `json:"appraisal"`
}

// FleetReport is how an agency's active devices would stand if a bundle were
// active, by their last boots.
type FleetReport struct {
	Devices    int `json:"devices"`
	Affirming  int `json:"affirming"`
	Warning    int `json:"warning"`
	Failing    int `json:"failing"`
	Unmeasured int `json:"unmeasured"` // no boot is known
	// Worse are those that do not affirm, the failing first, not all where
	// there are very many.
	Worse []FleetDevice `json:"worse,omitempty"`
}

// ExplainedEvent is a difference with what the rest of the fleet shows.
type ExplainedEvent struct {
	BootEvent
	Machines int       `json:"machines"` // that show the same value now, this one too
	First    time.Time `json:"first,omitzero"`
}

// BootExplanation is a device's last boot against the reference values.
type BootExplanation struct {
	DeviceID   string          `json:"device_id"`
	Device     string          `json:"device"`
	SeenAt     time.Time       `json:"seen_at"`
	SecureBoot SecureBootState `json:"secure_boot,omitempty"`
	Events     int             `json:"events"` // in the boot, fine ones too
	// References is the version of the set, empty where there are no values.
	References  string           `json:"references,omitempty"`
	Findings    []Finding        `json:"findings,omitempty"`
	Executables Trustworthiness  `json:"executables"`
	Hardware    Trustworthiness  `json:"hardware"`
	Differences []ExplainedEvent `json:"differences,omitempty"`
}
