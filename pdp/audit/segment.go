package audit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const segmentSuffix = ".log"

// segmentName names a segment so that names sort as sequences do.
func segmentName(first uint64) string { return fmt.Sprintf("%020d%s", first, segmentSuffix) }

// segments lists the sequences that a folder's segments start with, in order.
func segments(dir string) ([]uint64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	var firsts []uint64
	for _, e := range entries {
		digits, ok := strings.CutSuffix(e.Name(), segmentSuffix)
		if !ok {
			continue
		}
		first, err := strconv.ParseUint(digits, 10, 64)
		if err != nil || first == 0 || segmentName(first) != e.Name() {
			return nil, &BreakError{File: e.Name(), Why: "not the name of a segment"}
		}
		firsts = append(firsts, first)
	}
	slices.Sort(firsts)
	return firsts, nil
}

// openSegment opens a segment and returns its present size: beside a running
// PDP nothing behind it may be read, or a line that was half there would be
// followed by whole ones.
func openSegment(dir string, first uint64) (*os.File, int64, error) {
	f, err := os.Open(filepath.Join(dir, segmentName(first))) // #nosec G304 -- a name made here
	if err != nil {
		return nil, 0, fmt.Errorf("audit: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("audit: %w", err), f.Close())
	}
	return f, info.Size(), nil
}

// scanned is what scan found in one segment.
type scanned struct {
	before uint64 // the sequence that the segment continues
	end    position
	whole  int64 // bytes of the entries up to end
	torn   int64 // bytes after them
	broken *BreakError
	// acknowledged says that an entry after the broken place was written when
	// the broken one was safe on the disk already.
	acknowledged bool
}

// scan reads a segment whose first entry must come after start, up to its end
// or the first line that does not continue the chain.
func scan(dir string, first uint64, start position, visit func(Entry)) (scanned, error) {
	name := segmentName(first)
	f, size, err := openSegment(dir, first)
	if err != nil {
		return scanned{}, err
	}
	defer func() { _ = f.Close() }()
	s := scanned{before: start.seq, end: start}
	if first != start.seq+1 {
		s.broken = &BreakError{File: name, Why: fmt.Sprintf("entries %d to %d are missing before it", start.seq+1, first-1)}
		return s, nil
	}
	r := bufio.NewReaderSize(io.LimitReader(f, size), maxLineBytes+1)
	for line := 1; ; line++ {
		raw, err := r.ReadSlice('\n')
		if len(raw) == 0 && errors.Is(err, io.EOF) {
			return s, nil
		}
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
			return scanned{}, fmt.Errorf("audit: %w", err)
		}
		next, e, why := s.end.step(raw, err == nil)
		if why != nil {
			s.broken = &BreakError{File: name, Line: line, Why: why.Error()}
			return s, s.rest(r, int64(len(raw)), why)
		}
		s.end = next
		s.whole += int64(len(raw))
		if visit != nil {
			visit(e)
		}
	}
}

// step reads the line after p.
func (p position) step(raw []byte, whole bool) (position, Entry, error) {
	if !whole {
		return position{}, Entry{}, errors.New("an incomplete line")
	}
	e, hash, err := parseLine(bytes.TrimSuffix(raw, []byte("\n")))
	if err != nil {
		return position{}, Entry{}, err
	}
	if err := p.follows(e); err != nil {
		return position{}, Entry{}, errChain{err}
	}
	return position{seq: e.Sequence, hash: hash, at: e.At}, e, nil
}

// errChain marks a line that is whole and yet does not belong here. A crash
// leaves nothing like it.
type errChain struct{ error }

// rest looks through what follows the broken place for a sign that it had been
// acknowledged.
func (s *scanned) rest(r *bufio.Reader, already int64, why error) error {
	s.torn = already
	_, s.acknowledged = why.(errChain) //nolint:errorlint // made by step, never wrapped
	for {
		raw, err := r.ReadSlice('\n')
		s.torn += int64(len(raw))
		if e, _, bad := parseLine(bytes.TrimSuffix(raw, []byte("\n"))); bad == nil && e.Synced > s.end.seq {
			s.acknowledged = true
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return fmt.Errorf("audit: %w", err)
		}
	}
}

// lastEntry returns the position of a finished segment's last entry, by its
// own word: its hash and place are what the next segment must continue.
func lastEntry(dir string, first uint64) (position, error) {
	f, size, err := openSegment(dir, first)
	if err != nil {
		return position{}, err
	}
	defer func() { _ = f.Close() }()
	tail := make([]byte, min(size, maxLineBytes+1))
	if _, err := f.ReadAt(tail, size-int64(len(tail))); err != nil {
		return position{}, fmt.Errorf("audit: %w", err)
	}
	line, ended := bytes.CutSuffix(tail, []byte("\n"))
	line = line[bytes.LastIndexByte(line, '\n')+1:]
	e, hash, err := parseLine(line)
	if err != nil || !ended {
		return position{}, &BreakError{File: segmentName(first), Why: "its last line is broken"}
	}
	return position{seq: e.Sequence, hash: hash, at: e.At}, nil
}
