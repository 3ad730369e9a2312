package audit

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"iter"
	"sort"
	"time"
)

// Since reads the entries from a time on, as Entries does.
func Since(dir string, from time.Time) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		after, err := before(dir, from)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		for e, err := range Entries(dir, after) {
			if err == nil && e.At.Before(from) {
				continue
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// before returns the sequence before the segment that a time's first entry lies in.
func before(dir string, from time.Time) (uint64, error) {
	firsts, err := segments(dir)
	if err != nil {
		return 0, err
	}
	var failed error
	later := sort.Search(len(firsts), func(i int) bool {
		at, err := begins(dir, firsts[i])
		failed = errors.Join(failed, err)
		return !at.Before(from)
	})
	if failed != nil || later == 0 {
		return 0, failed
	}
	return firsts[later-1] - 1, nil
}

// begins is the time of a segment's first entry. A segment that has none yet
// begins after everything.
func begins(dir string, first uint64) (time.Time, error) {
	f, size, err := openSegment(dir, first)
	if err != nil {
		return time.Time{}, err
	}
	defer func() { _ = f.Close() }()
	line, err := bufio.NewReaderSize(io.LimitReader(f, size), maxLineBytes+1).ReadSlice('\n')
	if errors.Is(err, io.EOF) {
		return time.Unix(1<<40, 0), nil
	}
	if err != nil {
		return time.Time{}, &BreakError{File: segmentName(first), Line: 1, Why: err.Error()}
	}
	e, _, err := parseLine(bytes.TrimSuffix(line, []byte("\n")))
	if err != nil {
		return time.Time{}, &BreakError{File: segmentName(first), Line: 1, Why: err.Error()}
	}
	return e.At, nil
}
