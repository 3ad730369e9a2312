package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// small options keep tests quick: no megabytes to allocate.
func small() Options { return Options{ReserveBytes: 64 << 10} }

func openLog(t testing.TB, dir string, options Options) *Log {
	t.Helper()
	l, err := Open(dir, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func appendOne(t testing.TB, l *Log, r wire.AuditRecord) uint64 {
	t.Helper()
	n, err := l.Append(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func decision(id string) wire.AuditRecord {
	return wire.AuditRecord{Kind: wire.AuditDecision, Agency: "moda", Decision: id, Detail: []byte(`{"effect":"deny"}`)}
}

func closeLog(t testing.TB, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func entries(t testing.TB, dir string, after uint64) []Entry {
	t.Helper()
	var all []Entry
	for e, err := range Entries(dir, after) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

func TestAppendedRecordsAreReadBack(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, dir, small())
	at := time.Date(2025, 11, 22, 1, 2, 3, 4000, time.FixedZone("", 8*3600))
	r := wire.AuditRecord{
		Kind: wire.AuditSignIn, At: at, Agency: "moda", Subject: "per-1", Device: "dev-1",
		Portal: "por-1", Session: "ses-1", Decision: "dec-1", Detail: []byte(`{"name":"王小明 <&>"}`),
	}
	n := appendOne(t, l, r)
	if n != 2 || l.Durable() != 2 || !l.Writable() {
		t.Fatalf("sequence %d, durable %d, writable %v", n, l.Durable(), l.Writable())
	}
	got := entries(t, dir, 1)
	if len(got) != 1 || got[0].Sequence != 2 || got[0].Synced != 1 {
		t.Fatalf("%+v", got)
	}
	back := got[0].Record
	if !back.At.Equal(at) || back.Subject != r.Subject || !bytes.Equal(back.Detail, r.Detail) || back.Portal != r.Portal {
		t.Fatalf("%+v", back)
	}
	closeLog(t, l)
	s, err := Verify(dir)
	if err != nil || s.Entries != 2 || !s.Clean || s.Vouched != 2 || s.Head != got[0].Hash || s.First.After(s.Last) {
		t.Fatalf("%+v, %v", s, err)
	}
}

func TestTheLogContinuesAfterReopening(t *testing.T) {
	dir := t.TempDir()
	for i := range 4 {
		l := openLog(t, dir, small())
		if n := appendOne(t, l, decision("")); n != uint64(2*i+2) {
			t.Fatalf("sequence %d at opening %d", n, i)
		}
		closeLog(t, l)
	}
	s, err := Verify(dir)
	if err != nil || s.Entries != 8 || s.Segments != 1 {
		t.Fatalf("%+v, %v", s, err)
	}
	var o opened
	if err := json.Unmarshal(entries(t, dir, 2)[0].Record.Detail, &o); err != nil || !o.Clean || o.Log != s.Log || o.Torn != 0 {
		t.Fatalf("%+v, %v", o, err)
	}
}

func TestConcurrentAppendsGetSequencesOfTheirOwn(t *testing.T) {
	dir := t.TempDir()
	options := small()
	options.SegmentBytes = 16 << 10
	l := openLog(t, dir, options)
	var seen sync.Map
	var all sync.WaitGroup
	const callers, each = 64, 20
	for i := range callers {
		all.Go(func() {
			for j := range each {
				id := fmt.Sprintf("%d/%d", i, j)
				n, err := l.Append(t.Context(), decision(id))
				if err != nil {
					t.Error(err)
					return
				}
				if _, twice := seen.LoadOrStore(n, id); twice {
					t.Errorf("sequence %d given twice", n)
				}
			}
		})
	}
	all.Wait()
	closeLog(t, l)
	for _, e := range entries(t, dir, 1) {
		if id, ok := seen.Load(e.Sequence); !ok || id != e.Record.Decision {
			t.Fatalf("entry %d holds %s, its caller wrote %v", e.Sequence, e.Record.Decision, id)
		}
	}
	s, err := Verify(dir)
	if err != nil || s.Entries != callers*each+1 || s.Segments < 3 {
		t.Fatalf("%+v, %v", s, err)
	}
}

func TestWhatIsNoRecordIsRefused(t *testing.T) {
	l := openLog(t, t.TempDir(), small())
	for name, r := range map[string]wire.AuditRecord{
		"no kind":      {},
		"unknown kind": {Kind: "rumour"},
		"too large":    {Kind: wire.AuditAdmin, Detail: make([]byte, MaxRecordBytes)},
	} {
		if _, err := l.Append(t.Context(), r); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	largest := wire.AuditRecord{Kind: wire.AuditAdmin, Detail: make([]byte, (MaxRecordBytes-200)/4*3)}
	appendOne(t, l, largest)
}

func TestAnEndedContextRecordsNothing(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, dir, small())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Append(ctx, decision("")); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	closeLog(t, l)
	if got := entries(t, dir, 1); len(got) != 0 {
		t.Fatalf("%+v", got)
	}
}

func TestAClosedLogTakesNothing(t *testing.T) {
	l := openLog(t, t.TempDir(), small())
	closeLog(t, l)
	if _, err := l.Append(t.Context(), decision("")); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
	if l.Writable() {
		t.Error("a closed log calls itself writable")
	}
}

func TestOneWriterAtATime(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, dir, small())
	if _, err := Open(dir, small()); !errors.Is(err, ErrLocked) {
		t.Fatalf("a second writer: %v", err)
	}
	closeLog(t, l)
	openLog(t, dir, small())
}

func TestAnonymousDenialsAreSummedUp(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := openLog(t, dir, small())
		for range 1000 {
			l.CountAnonymousDenial()
		}
		time.Sleep(time.Minute + time.Second)
		synctest.Wait()
		if got := sums(t, dir); len(got) != 1 || got[0] != 1000 {
			t.Fatalf("after a minute: %v", got)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if got := sums(t, dir); len(got) != 1 {
			t.Fatalf("nothing to count was recorded: %v", got)
		}
		l.CountAnonymousDenial()
		closeLog(t, l)
	})
	if got := sums(t, dir); len(got) != 2 || got[1] != 1 {
		t.Fatalf("after closing: %v", got)
	}
}

func sums(t *testing.T, dir string) (counts []uint64) {
	t.Helper()
	for _, e := range entries(t, dir, 0) {
		var s anonymousSummary
		if err := json.Unmarshal(e.Record.Detail, &s); err == nil && s.Event == "anonymous-denials" {
			counts = append(counts, s.Count)
		}
	}
	return counts
}

func TestTheHeadFollowsWithinASecond(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := openLog(t, dir, small())
		n := appendOne(t, l, decision(""))
		time.Sleep(headInterval + time.Millisecond)
		synctest.Wait()
		if h, _, err := readHead(dir); err != nil || h.Sequence != n || h.Clean {
			t.Fatalf("%+v, %v", h, err)
		}
		closeLog(t, l)
	})
}

func TestFindTellsADecisionAndItsUses(t *testing.T) {
	dir := t.TempDir()
	options := small()
	options.SegmentBytes = 1 << 10
	l := openLog(t, dir, options)
	id, err := wire.NewID(wire.PrefixDecision, strings.NewReader("0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := wire.NewID(wire.PrefixDecision, strings.NewReader("fedcba9876543210"))
	if err != nil {
		t.Fatal(err)
	}
	var want []uint64
	for i := range 40 {
		switch i {
		case 3:
			want = append(want, appendOne(t, l, decision(id)))
		case 5, 30:
			want = append(want, appendOne(t, l, wire.AuditRecord{Kind: wire.AuditUses, Decision: id}))
		case 6:
			appendOne(t, l, wire.AuditRecord{Kind: wire.AuditAdmin, Subject: id}) // names it elsewhere
		default:
			appendOne(t, l, decision(other))
		}
	}
	got, err := Find(dir, id)
	if err != nil || len(got) != len(want) {
		t.Fatalf("%+v, %v", got, err)
	}
	for i, e := range got {
		if e.Sequence != want[i] {
			t.Errorf("entry %d at place %d, want %d", e.Sequence, i, want[i])
		}
	}
	if got, err := Find(dir, "dec-00000000000000000000000000"); err != nil || len(got) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := Find(dir, `","`); err == nil {
		t.Error("something that is no id was looked for")
	}
}

func TestEntriesStartAnywhere(t *testing.T) {
	dir := t.TempDir()
	options := small()
	options.SegmentBytes = 1 << 10
	l := openLog(t, dir, options)
	for range 30 {
		appendOne(t, l, decision(""))
	}
	for after := range uint64(32) {
		got := entries(t, dir, after)
		if len(got) != int(31-min(after, 31)) || len(got) > 0 && got[0].Sequence != after+1 {
			t.Fatalf("after %d: %d entries", after, len(got))
		}
	}
	for e, err := range Entries(dir, 0) { // a reader may stop
		if err != nil || e.Sequence != 1 {
			t.Fatal(e, err)
		}
		break
	}
}

// TestReadingBesideAWriter reads and verifies a log while it grows.
func TestReadingBesideAWriter(t *testing.T) {
	dir := t.TempDir()
	options := small()
	options.SegmentBytes = 16 << 10
	l := openLog(t, dir, options)
	const callers, each = 8, 100
	var writers sync.WaitGroup
	for range callers {
		writers.Go(func() {
			for range each {
				if _, err := l.Append(t.Context(), decision("dec-00000000000000000000000000")); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for durable := l.Durable(); durable < callers*each && !t.Failed(); durable = l.Durable() {
		s, err := Verify(dir)
		if err != nil || s.Entries < durable {
			t.Errorf("%+v beside %d, %v", s, durable, err)
		}
		if some := entries(t, dir, durable/2); uint64(len(some)) < durable-durable/2 {
			t.Errorf("%d entries after %d of %d", len(some), durable/2, durable)
		}
		if _, err := Find(dir, "dec-00000000000000000000000000"); err != nil {
			t.Error(err)
		}
	}
	writers.Wait()
}

func TestTheFolderIsPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	openLog(t, dir, small())
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 4 {
		t.Errorf("%v", files)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f.Name(), info.Mode(), err)
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}
