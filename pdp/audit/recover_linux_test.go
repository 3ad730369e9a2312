package audit

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

func TestTheClockMayNotRunBehind(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2025, 11, 22, 12, 0, 0, 0, time.UTC)
	options := small()
	options.Clock = func() time.Time { return now }
	l := openLog(t, dir, options)
	appendOne(t, l, decision(""))

	now = now.Add(-2*time.Second - time.Nanosecond)
	_, err := l.Append(t.Context(), decision(""))
	var behind *ClockBehindError
	if !errors.Is(err, ErrClosed) || !errors.As(err, &behind) {
		t.Fatalf("while running: %v", err)
	}
	now = now.Add(time.Second)
	appendOne(t, l, decision("")) // within the tolerance, and times still do not go back
	closeLog(t, l)
	if _, err := Verify(dir); err != nil {
		t.Fatal(err)
	}

	now = now.Add(-time.Hour)
	before := digestOf(t, dir)
	_, err = Open(dir, options)
	if !errors.As(err, &behind) || !behind.Now.Equal(now) || behind.Last.Before(now.Add(time.Hour)) {
		t.Fatalf("at opening: %v", err)
	}
	if r := behind.Reason(); r.Code == "" || r.Args["now"] == "" || r.Args["last"] == "" {
		t.Errorf("%+v", r)
	}
	if digestOf(t, dir) != before {
		t.Error("the refusal changed the log")
	}
	now = now.Add(2 * time.Hour)
	openLog(t, dir, options)
}

// TestATornEndIsRepaired leaves what a crash may leave behind the last entry.
func TestATornEndIsRepaired(t *testing.T) {
	for name, torn := range map[string]func(last []byte, next func() []byte) []byte{
		"a piece of a line":       func(_ []byte, next func() []byte) []byte { return next()[:100] },
		"a line without its end":  func(_ []byte, next func() []byte) []byte { return bytes.TrimSuffix(next(), []byte("\n")) },
		"zeros":                   func([]byte, func() []byte) []byte { return make([]byte, 4096) },
		"zeros, then a line":      func(_ []byte, next func() []byte) []byte { return append(make([]byte, 512), next()...) },
		"a broken line, then one": func(_ []byte, next func() []byte) []byte { return append([]byte("{\"seq\":\n"), next()...) },
		"very much":               func([]byte, func() []byte) []byte { return bytes.Repeat([]byte("x"), 3*maxLineBytes) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := written(t, false)
			last := segmentPaths(t, dir)[len(segmentPaths(t, dir))-1]
			all := lines(t, last)
			whole, err := Verify(dir)
			if err != nil || whole.Clean {
				t.Fatalf("%+v, %v", whole, err)
			}
			rest := torn(all[len(all)-1], func() []byte { return forged(t, all[len(all)-1], "never acknowledged") })
			rewrite(t, last, append(all, rest))

			s, err := Verify(dir)
			if err != nil || s.Torn != int64(len(rest)) || s.Entries != whole.Entries {
				t.Fatalf("%+v, %v", s, err)
			}
			l := openLog(t, dir, small())
			appendOne(t, l, decision("after"))
			closeLog(t, l)
			if s, err = Verify(dir); err != nil || s.Torn != 0 || s.Entries != whole.Entries+2 {
				t.Fatalf("repaired: %+v, %v", s, err)
			}
			told := entries(t, dir, whole.Entries)[0]
			if told.Record.Kind != wire.AuditSystem || !strings.Contains(string(told.Record.Detail), fmt.Sprintf(`"torn_bytes":%d`, len(rest))) {
				t.Errorf("not reported: %s", told.Record.Detail)
			}
		})
	}
}

// unvouched is a log as a crash leaves it: five entries, each in a group of its
// own, none of which the head vouches for.
func unvouched(t *testing.T) (dir, path string) {
	t.Helper()
	w, _, dir := bench(t)
	for i := range 4 {
		if _, err := w.try(t, wire.AuditDecision, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if h, _, err := readHead(copied); err != nil || h.Sequence != 0 || h.Clean {
		t.Fatal(h, err)
	}
	return copied, filepath.Join(copied, segmentName(1))
}

// refused expects a break of Verify and of Open, which leaves all as it is.
func refused(t *testing.T, dir, file string, line int, why string) {
	t.Helper()
	_, err := Verify(dir)
	wantBreak(t, err, file, line, why)
	before := digestOf(t, dir)
	l, err := Open(dir, small())
	if err == nil {
		_ = l.Close()
	}
	wantBreak(t, err, file, line, why)
	if digestOf(t, dir) != before {
		t.Error("the evidence was changed")
	}
}

// TestAnAcknowledgedEntryIsNeverCutOff breaks an entry whose successor says
// that it had been on the disk.
func TestAnAcknowledgedEntryIsNeverCutOff(t *testing.T) {
	dir, path := unvouched(t)
	flipLine(t, path, -2)
	refused(t, dir, path, 4, "own hash")
}

// TestALineThatDoesNotBelongIsNoCrash puts whole lines at the end of a log that
// was not closed: a crash leaves pieces and zeros, never such.
func TestALineThatDoesNotBelongIsNoCrash(t *testing.T) {
	for name, c := range map[string]struct {
		line func(t *testing.T, last []byte) []byte
		why  string
	}{
		"doubled":         {func(_ *testing.T, last []byte) []byte { return last }, "sequence 5 after 5"},
		"skips one":       {func(t *testing.T, last []byte) []byte { return forged(t, forged(t, last, "a"), "b") }, "sequence 7 after 5"},
		"goes back":       {func(t *testing.T, last []byte) []byte { return forgedAt(t, last, -time.Second, 5) }, "older"},
		"calls it synced": {func(t *testing.T, last []byte) []byte { return forgedAt(t, last, 0, 6) }, "calls 6 safe"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, path := unvouched(t)
			all := lines(t, path)
			rewrite(t, path, append(all, c.line(t, all[len(all)-1])))
			refused(t, dir, path, 6, c.why)
		})
	}
}

// forgedAt continues a chain with a time and a synced of the forger's choice.
func forgedAt(t *testing.T, after []byte, later time.Duration, synced uint64) []byte {
	t.Helper()
	e, hash, err := parseLine(bytes.TrimSuffix(after, []byte("\n")))
	if err != nil {
		t.Fatal(err)
	}
	record, err := encode(decision(""))
	if err != nil {
		t.Fatal(err)
	}
	line, _ := appendLine(nil, position{seq: e.Sequence, hash: hash}, e.At.Add(later), synced, record)
	return line
}

func TestNothingMayFollowACleanEnd(t *testing.T) {
	dir := written(t, true)
	paths := segmentPaths(t, dir)
	last := paths[len(paths)-1]
	all := lines(t, last)
	rewrite(t, last, append(all, []byte("{")))
	refused(t, dir, last, len(all)+1, "incomplete")
}

// TestAnOlderHeadIsNotTaken puts back a head from before a change of segment,
// which would let everything since be cut off.
func TestAnOlderHeadIsNotTaken(t *testing.T) {
	w, _, dir := bench(t)
	old, err := os.ReadFile(filepath.Join(dir, headFile))
	if err != nil {
		t.Fatal(err)
	}
	w.options.SegmentBytes = 1
	for range 3 {
		if _, err := w.try(t, wire.AuditDecision, ""); err != nil {
			t.Fatal(err)
		}
	}
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(copied); err != nil {
		t.Fatal(err)
	}
	rewrite(t, filepath.Join(copied, headFile), [][]byte{old})
	refused(t, copied, headFile, 0, "finished segment")
}

// TestARewrittenEndDoesNotMatchTheHead forges the last entry of a finished
// segment and all that follows it.
func TestARewrittenEndDoesNotMatchTheHead(t *testing.T) {
	w, _, dir := bench(t)
	for _, id := range []string{"a", "b"} {
		if _, err := w.try(t, wire.AuditDecision, id); err != nil {
			t.Fatal(err)
		}
	}
	w.options.SegmentBytes = 1
	if _, err := w.try(t, wire.AuditDecision, "c"); err != nil { // begins a segment
		t.Fatal(err)
	}
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	first, second := filepath.Join(copied, segmentName(1)), filepath.Join(copied, segmentName(4))
	all := lines(t, first)
	all[2] = forged(t, all[1], "B")
	rewrite(t, first, all)
	rewrite(t, second, [][]byte{forged(t, all[2], "C")})
	refused(t, copied, first, 3, "head vouches for")
}

func TestAForeignNameIsNoSegment(t *testing.T) {
	dir := written(t, true)
	rewrite(t, filepath.Join(dir, "7.log"), nil)
	refused(t, dir, "7.log", 0, "name")
}

func TestTheClockMayNotRunBehindAnEmptyLog(t *testing.T) {
	dir := t.TempDir()
	if _, err := begin(dir, time.Now().Add(time.Hour), nil); err != nil {
		t.Fatal(err)
	}
	var behind *ClockBehindError
	if _, err := Open(dir, small()); !errors.As(err, &behind) {
		t.Fatal(err)
	}
}

func TestTheOtherSlotSavesTheHead(t *testing.T) {
	dir := written(t, false)
	h, _, err := readHead(dir)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, headFile)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copy(raw[h.Count%2*slotBytes+40:], "torn") // while it was written
	rewrite(t, path, [][]byte{raw})
	if older, _, err := readHead(dir); err != nil || older.Count != h.Count-1 {
		t.Fatalf("%+v, %v", older, err)
	}
}
