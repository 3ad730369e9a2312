package audit

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/menshen-zt/menshen/internal/wire"
)

func TestLatestReadsFromTheEnd(t *testing.T) {
	dir := t.TempDir()
	options := small()
	options.SegmentBytes = 2 << 10
	l := openLog(t, dir, options)
	for n := range 60 {
		r := decision("")
		r.Subject = fmt.Sprint("per-", n%3)
		appendOne(t, l, r)
		if n%10 == 0 { // of another kind, and one that only names the subject
			appendOne(t, l, wire.AuditRecord{Kind: wire.AuditSignIn, Subject: "per-1"})
			r := decision("")
			r.Subject, r.Portal = "per-9", "per-1"
			appendOne(t, l, r)
		}
	}
	var want []uint64
	for _, e := range entries(t, dir, 0) {
		if e.Record.Kind == wire.AuditDecision && e.Record.Subject == "per-1" {
			want = append([]uint64{e.Sequence}, want...)
		}
	}
	firsts, err := segments(dir)
	if err != nil || len(firsts) < 4 || len(want) != 20 {
		t.Fatal(firsts, len(want), err)
	}
	for _, tt := range []struct {
		most   int
		within int64
		n      int
		all    bool
	}{{5, 1 << 20, 5, false}, {20, 1 << 20, 20, false}, {21, 1 << 20, 20, true}, {100, 1 << 20, 20, true}} {
		got, all, err := Latest(dir, wire.AuditDecision, "per-1", tt.most, tt.within)
		if err != nil || len(got) != tt.n || all != tt.all {
			t.Fatalf("%+v: %d, %v, %v", tt, len(got), all, err)
		}
		for i, e := range got {
			if e.Sequence != want[i] {
				t.Errorf("%+v: entry %d is %d, not %d", tt, i, e.Sequence, want[i])
			}
		}
	}
	// So many bytes, and no more segments.
	some, all, err := Latest(dir, wire.AuditDecision, "per-1", 100, 1)
	if err != nil || all || len(some) == 0 || len(some) >= 20 {
		t.Errorf("%d, %v, %v", len(some), all, err)
	}
}

func TestLatestTellsWhatIsBroken(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, dir, small())
	r := decision("")
	r.Subject = "per-1"
	appendOne(t, l, r)
	file := filepath.Join(dir, segmentName(1))
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)-100] ^= 1 // in the last line's digest
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, _, err := Latest(dir, wire.AuditDecision, "per-1", 5, 1<<20); err == nil {
		t.Errorf("%v", got)
	}
}
