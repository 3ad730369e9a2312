package wire

import "crypto/sha256"

// Appraised is what the Verifier makes of one Evidence: the judgement, and what
// the next Evidence may rest on.
type Appraised struct {
	AttestationResult
	// Incomplete says that the Evidence is the device's own, but names claims by
	// a digest that is not kept: nothing is judged, and the device's standing
	// stays what it was.
	Incomplete bool
	// Fallen says that counters fell: this clock is not the new normal.
	Fallen bool
	// Rests is a digest over everything that the judgement rests on. The same
	// again, with no counter fallen, is judged the same. Zero stands for nothing.
	Rests [sha256.Size]byte
	// Kept replaces what was kept of the device; nil leaves it.
	Kept *Kept
	// Boot is what a whole event log says that was sent this time.
	Boot *Boot
	// Ran are SHA-256 digests, hexadecimal, of files that the run-time list tells
	// of this time and that no allow list has: MaxRan at most, in its order.
	Ran []string
	// Wants names what is asked for at once, IMAFrom where the next piece of the
	// IMA list begins.
	Wants   []Want
	IMAFrom int
}

// MaxRan bounds Appraised.Ran.
const MaxRan = 4096

// Kept is what is kept of a device's last accepted Evidence.
type Kept struct {
	// Document is the exact bytes of the claims document.
	Document []byte `json:"document"`
	// ResetCount is the boot's: what was kept in another boot stands for nothing
	// in this one.
	ResetCount uint32 `json:"reset_count"`
	// Hardware is the best tier that the keys' provenance permits, Fallen what
	// the counters showed.
	Hardware Trustworthiness `json:"hardware"`
	Fallen   []Finding       `json:"fallen,omitempty"`
	// LogDigest is SHA-256 over the event log that the boot was judged by, empty
	// if there was none; PCRDigest is BootDigest of the PCRs beside it.
	LogDigest []byte `json:"log_digest,omitempty"`
	PCRDigest []byte `json:"pcr_digest,omitempty"`
	// LogFindings are what the log itself showed; Unread says that it could not
	// be read, so that there is no Boot of it.
	LogFindings []Finding `json:"log_findings,omitempty"`
	Unread      bool      `json:"unread,omitempty"`
	// IMA is how far the run-time measurement list was read, nil if there is none.
	IMA *IMAState `json:"ima,omitempty"`
}

// IMAState is how far a device's IMA list was read in one boot.
type IMAState struct {
	// Count entries replay to PCR.
	Count int    `json:"count"`
	PCR   []byte `json:"pcr"`
	// Problem is the code of why the list does not explain the quoted PCR 10,
	// empty where it does.
	Problem string `json:"problem,omitempty"`
	// Set is the version of the reference set that the entries were held against.
	Set string `json:"set,omitempty"`
	// Unlisted counts files that are not on the allow list, Changed those of
	// them whose path is on it with other content, Violations the entries that
	// the kernel could not measure; Examples name some of the files.
	Unlisted   int      `json:"unlisted,omitempty"`
	Changed    int      `json:"changed,omitempty"`
	Violations int      `json:"violations,omitempty"`
	Weak       int      `json:"weak,omitempty"` // digests that an allow list cannot be asked for
	Examples   []string `json:"examples,omitempty"`
	// Aggregate says what the kernel's own digest over the boot's PCRs was found
	// to be: "" not seen yet, or one of the words below.
	Aggregate AggregateState `json:"aggregate,omitempty"`
}

// AggregateState is how IMA's boot aggregate stands to the quoted PCRs.
type AggregateState string

// Aggregate states.
const (
	AggregateMatches     AggregateState = "matches"
	AggregateDiffers     AggregateState = "differs"
	AggregateUnsupported AggregateState = "unsupported" // over another bank
)
