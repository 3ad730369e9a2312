package audit

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Latest returns the last most entries of a kind about a subject, the latest
// first. It reads whole segments from the end of the log on and stops where it
// has enough, or after within bytes; all says that nothing older was left
// unread. An entry that does not match its own hash is an error; whether the
// chain holds is for Verify to say.
func Latest(dir string, kind wire.AuditKind, subject string, most int, within int64) (latest []Entry, all bool, err error) {
	firsts, err := segments(dir)
	if err != nil {
		return nil, false, err
	}
	for i, first := range slices.Backward(firsts) {
		some, size, err := latestIn(dir, first, kind, subject, most-len(latest))
		if err != nil {
			return nil, false, err
		}
		slices.Reverse(some)
		latest = append(latest, some...)
		if within -= size; len(latest) >= most || within <= 0 {
			return latest, i == 0 && len(latest) < most, nil
		}
	}
	return latest, true, nil
}

// latestIn returns the last most entries of one segment, oldest first, and the
// segment's size.
func latestIn(dir string, first uint64, kind wire.AuditKind, subject string, most int) ([]Entry, int64, error) {
	f, size, err := openSegment(dir, first)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = f.Close() }()
	needle := []byte(`"` + subject + `"`)
	r := bufio.NewReaderSize(io.LimitReader(f, size), maxLineBytes+1)
	var some []Entry
	for line := 1; ; line++ {
		raw, err := r.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			return some, size, nil
		}
		if err != nil {
			return nil, size, &BreakError{File: segmentName(first), Line: line, Why: err.Error()}
		}
		if !bytes.Contains(raw, needle) {
			continue
		}
		e, _, err := parseLine(bytes.TrimSuffix(raw, []byte("\n")))
		if err != nil {
			return nil, size, &BreakError{File: segmentName(first), Line: line, Why: err.Error()}
		}
		if e.Record.Kind != kind || e.Record.Subject != subject {
			continue
		}
		if some = append(some, e); len(some) > most {
			some = some[1:]
		}
	}
}
