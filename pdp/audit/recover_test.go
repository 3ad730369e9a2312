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

// TestAnAcknowledgedEntryIsNeverCutOff breaks an entry whose successor says
// that it had been on the disk.
func TestAnAcknowledgedEntryIsNeverCutOff(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, dir, small())
	for range 5 {
		appendOne(t, l, decision("")) // each in a group of its own
	}
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(copied, segmentName(1))
	flipLine(t, path, -2)
	before := digestOf(t, copied)
	_, err := Open(copied, small())
	wantBreak(t, err, path, 5, "own hash")
	if digestOf(t, copied) != before {
		t.Error("the evidence was changed")
	}
	_, err = Verify(copied)
	wantBreak(t, err, path, 5, "own hash")
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
