package audit

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Entries reads the entries after a sequence, in order, up to the end; it may
// run beside an open log, whose Durable says how far entries are on the disk.
// Each is checked against its own hash and the one before it. A *BreakError
// ends the sequence, but an incomplete last line, which may be one that is just
// being written, ends it silently.
func Entries(dir string, after uint64) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		firsts, err := segments(dir)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		var before *position
		for i, first := range firsts {
			if i+1 < len(firsts) && firsts[i+1] <= after+1 {
				continue // nothing after the sequence lies in here
			}
			end, more := readSegment(dir, first, before, after, yield)
			if !more {
				return
			}
			before = &end
		}
	}
}

// readSegment yields a segment's entries after a sequence. Without a position
// before it, the first entry's word is taken for what it continues.
func readSegment(dir string, first uint64, before *position, after uint64, yield func(Entry, error) bool) (position, bool) {
	name := segmentName(first)
	f, size, err := openSegment(dir, first)
	if err != nil {
		yield(Entry{}, err)
		return position{}, false
	}
	defer func() { _ = f.Close() }()
	r := bufio.NewReaderSize(io.LimitReader(f, size), maxLineBytes+1)
	var p position
	if before != nil {
		p = *before
	}
	for line := 1; ; line++ {
		raw, err := r.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			return p, true
		}
		if line == 1 && before == nil {
			p = presumed(raw, first)
		}
		next, e, why := p.step(raw, err == nil)
		if why != nil {
			yield(Entry{}, &BreakError{File: name, Line: line, Why: why.Error()})
			return position{}, false
		}
		p = next
		if e.Sequence > after && !yield(e, nil) {
			return position{}, false
		}
	}
}

// presumed is the position that a segment's first line says it continues.
func presumed(raw []byte, first uint64) position {
	p := position{seq: first - 1}
	if e, _, err := parseLine(bytes.TrimSuffix(raw, []byte("\n"))); err == nil {
		hash, _ := hex.DecodeString(e.Previous) // a wrong one fails to compare
		copy(p.hash[:], hash)
	}
	return p
}

// Find returns every entry that names a decision, oldest first: the decision
// itself and the counts of its uses. An entry that does not match its own hash
// is an error; whether the chain holds is for Verify to say.
func Find(dir, decisionID string) ([]Entry, error) {
	if err := wire.CheckID(wire.PrefixDecision, decisionID); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	firsts, err := segments(dir)
	if err != nil {
		return nil, err
	}
	var all []Entry
	for _, first := range slices.Backward(firsts) {
		some, err := findIn(dir, first, decisionID)
		if err != nil {
			return nil, err
		}
		all = append(some, all...)
		if len(some) > 0 && some[0].Record.Kind == wire.AuditDecision {
			break // nothing names a decision before it was taken
		}
	}
	return all, nil
}

func findIn(dir string, first uint64, decisionID string) ([]Entry, error) {
	name := segmentName(first)
	f, size, err := openSegment(dir, first)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	needle := []byte(`"` + decisionID + `"`)
	r := bufio.NewReaderSize(io.LimitReader(f, size), maxLineBytes+1)
	var some []Entry
	for line := 1; ; line++ {
		raw, err := r.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			return some, nil
		}
		if err != nil {
			return nil, &BreakError{File: name, Line: line, Why: err.Error()}
		}
		if !bytes.Contains(raw, needle) {
			continue
		}
		e, _, err := parseLine(bytes.TrimSuffix(raw, []byte("\n")))
		if err != nil {
			return nil, &BreakError{File: name, Line: line, Why: err.Error()}
		}
		if e.Record.Decision == decisionID {
			some = append(some, e)
		}
	}
}
