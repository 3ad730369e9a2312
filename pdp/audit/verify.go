package audit

import (
	"crypto/ed25519"
	"fmt"
	"time"
)

// Summary tells of a verified log, or of its sound part where Verify failed.
type Summary struct {
	Log         string // the log's random id
	Segments    int
	Entries     uint64
	First, Last time.Time
	Head        string // hash of the last entry
	// Vouched is the sequence up to which the head vouches; a tail that is
	// missing beyond it cannot be noticed.
	Vouched uint64
	// Clean says that the log was closed at its last entry.
	Clean bool
	// Signed says that the head carries a signature; only VerifySigned checks it.
	Signed bool
	// Torn is how many bytes of unacknowledged entries a crash left at the end.
	Torn int64
}

// Verify reads the log in dir, a copy or one that is being written, from its
// first entry to its last and compares it with its head. A *BreakError names the first place that
// is not what was written; the package document says what cannot be noticed.
func Verify(dir string) (Summary, error) { return verify(dir, nil) }

// VerifySigned is Verify for a log whose head is signed.
func VerifySigned(dir string, key ed25519.PublicKey) (Summary, error) { return verify(dir, key) }

func verify(dir string, key ed25519.PublicKey) (Summary, error) {
	// The head first: beside a running PDP, what is listed later may only be more.
	h, ok, err := readHead(dir)
	if err != nil {
		return Summary{}, err
	}
	firsts, err := segments(dir)
	switch {
	case err != nil:
		return Summary{}, err
	case !ok && len(firsts) == 0:
		return Summary{}, fmt.Errorf("audit: there is no log in %s", dir)
	case !ok:
		return Summary{}, &BreakError{File: headFile, Why: "missing"}
	case key != nil && !h.signedBy(key):
		return Summary{}, &BreakError{File: headFile, Why: "not signed with the key given"}
	}
	s := Summary{Log: h.Log, Segments: len(firsts), Vouched: h.Sequence, Clean: h.Clean, Signed: len(h.signature) > 0}
	return s.walk(dir, firsts, h.head, func() (head, error) {
		now, ok, err := readHead(dir)
		if err != nil || !ok || now.Log != h.Log || (key != nil && !now.signedBy(key)) {
			return h.head, err
		}
		return now.head, nil
	})
}

// walk scans all segments and compares their end with the head. Segments that
// were finished since the head was read are vouched for by the one of now.
func (s Summary) walk(dir string, firsts []uint64, h head, now func() (head, error)) (Summary, error) {
	var end scanned
	for i, first := range firsts {
		var wrong *BreakError
		var err error
		end, err = scan(dir, first, end.end, func(e Entry) {
			s.add(e)
			if e.Sequence == h.Sequence && e.Hash != h.Hash {
				wrong = notVouched(e.Sequence, first)
			}
		})
		switch {
		case err != nil:
			return s, err
		case wrong != nil:
			return s, wrong
		case end.broken != nil && i < len(firsts)-1:
			return s, end.broken
		}
	}
	s.Torn = end.torn
	if h.Sequence < end.before && !h.Clean {
		later, err := now()
		if err != nil {
			return s, err
		}
		// It may lie beyond what was read; that it is no lower is what counts.
		h.Sequence = min(max(h.Sequence, later.Sequence), end.end.seq)
	}
	return s, h.vouchesFor(end)
}

func (s *Summary) add(e Entry) {
	if s.Entries == 0 {
		s.First = e.At
	}
	s.Entries++
	s.Last, s.Head = e.At, e.Hash
}

// notVouched says that an entry is sound in itself and yet not the one that
// was there when the head was written.
func notVouched(sequence, first uint64) *BreakError {
	return &BreakError{
		File: segmentName(first),
		Line: int(sequence - first + 1), // #nosec G115 -- a line number
		Why:  fmt.Sprintf("entry %d is not the one that the head vouches for", sequence),
	}
}
