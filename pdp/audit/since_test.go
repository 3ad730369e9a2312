package audit

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestSinceStartsAtATime(t *testing.T) {
	dir := t.TempDir()
	options := small()
	options.SegmentBytes = 1 << 10
	now := time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)
	options.Clock = func() time.Time { return now }
	l := openLog(t, dir, options)
	begin := now
	for i := range 30 {
		if i%3 != 0 { // some share a moment
			now = now.Add(time.Minute)
		}
		appendOne(t, l, decision(""))
	}
	all := entries(t, dir, 0)
	if firsts, err := segments(dir); err != nil || len(firsts) < 4 {
		t.Fatal(firsts, err)
	}
	for from := begin.Add(-time.Minute); from.Before(now.Add(2 * time.Minute)); from = from.Add(30 * time.Second) {
		var want, got []uint64
		for _, e := range all {
			if !e.At.Before(from) {
				want = append(want, e.Sequence)
			}
		}
		for e, err := range Since(dir, from) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, e.Sequence)
		}
		if len(got) != len(want) || len(got) > 0 && got[0] != want[0] {
			t.Errorf("since %v: %v, not %v", from, got, want)
		}
	}
	for e, err := range Since(dir, begin) { // a reader may stop
		if err != nil || e.Sequence != 1 {
			t.Error(e, err)
		}
		break
	}
}

func TestSinceTellsWhatIsBroken(t *testing.T) {
	dir := t.TempDir()
	options := small()
	options.SegmentBytes = 1 << 10
	l := openLog(t, dir, options)
	for range 30 {
		appendOne(t, l, decision(""))
	}
	closeLog(t, l)
	firsts, err := segments(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, first := range firsts {
		if err := os.WriteFile(filepath.Join(dir, segmentName(first)), []byte("x\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range Since(dir, time.Now()) {
		if err == nil {
			t.Error("an entry of a broken log")
		}
	}
	for _, err := range Since(filepath.Join(dir, "none"), time.Now()) {
		if err == nil {
			t.Error("an entry of no log")
		}
	}
}
