package audit

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/menshen-zt/menshen/internal/wire"
)

// bench is a writer without its goroutine.
func bench(t *testing.T) (*writer, *stepClock, string) {
	t.Helper()
	dir := t.TempDir()
	var clock stepClock
	options := small()
	options.Clock = clock.now
	w, err := recoverWriter(dir, options.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.close() })
	return w, &clock, dir
}

func (w *writer) try(t *testing.T, kind wire.AuditKind, id string) (uint64, error) {
	t.Helper()
	raw, err := encode(wire.AuditRecord{Kind: kind, Decision: id})
	if err != nil {
		t.Fatal(err)
	}
	p := &pending{record: raw, privileged: kind == wire.AuditAdmin, done: make(chan struct{})}
	w.settle([]*pending{p})
	select {
	case <-p.done:
	default:
		t.Fatal("not answered")
	}
	return p.sequence, p.err
}

func TestAFailedWriteIsUndone(t *testing.T) {
	for name, fault := range map[string]func(w *writer, failing *int){
		"fsync fails": func(w *writer, failing *int) {
			w.sync = func(f *os.File) error {
				if *failing > 0 {
					*failing--
					return syscall.EIO
				}
				return syncData(f)
			}
		},
		"write fails halfway": func(w *writer, failing *int) {
			w.writeAt = func(f *os.File, b []byte, at int64) error {
				if *failing > 0 {
					*failing--
					return errors.Join(writeAt(f, b[:len(b)/2], at), syscall.EIO)
				}
				return writeAt(f, b, at)
			}
		},
	} {
		for failures := 1; failures <= 3; failures++ { // the repair fails too from 2 on
			t.Run(name, func(t *testing.T) {
				w, clock, dir := bench(t)
				failing := 0
				fault(w, &failing)
				first, err := w.try(t, wire.AuditDecision, "before")
				if err != nil {
					t.Fatal(err)
				}
				failing = failures
				if _, err := w.try(t, wire.AuditDecision, "lost"); !errors.Is(err, ErrClosed) || !errors.Is(err, syscall.EIO) {
					t.Fatalf("the failure: %v", err)
				}
				if _, err := w.try(t, wire.AuditDecision, "too early"); !errors.Is(err, ErrClosed) {
					t.Fatalf("before the next attempt is due: %v", err)
				}
				failing = 0
				clock.step(lastRetry)
				second, err := w.try(t, wire.AuditDecision, "after")
				if err != nil || second != first+2 { // the reopening lies between
					t.Fatalf("%d after %d, %v", second, first, err)
				}
				if err := w.close(); err != nil {
					t.Fatal(err)
				}
				if s, err := Verify(dir); err != nil || s.Entries != second {
					t.Fatalf("%+v, %v", s, err)
				}
				for _, e := range entries(t, dir, 0) {
					if e.Record.Decision == "lost" || e.Record.Decision == "too early" {
						t.Errorf("%q is in the log", e.Record.Decision)
					}
				}
			})
		}
	}
}

// TestASegmentThatCannotBeBegun puts something in the way of the next segment:
// the log closes, and goes on without a gap when the way is free.
func TestASegmentThatCannotBeBegun(t *testing.T) {
	w, clock, dir := bench(t)
	w.options.SegmentBytes = 1
	next := filepath.Join(dir, segmentName(w.last.seq+1))
	if err := os.Mkdir(next, 0o700); err != nil { // stands in the way
		t.Fatal(err)
	}
	if _, err := w.try(t, wire.AuditDecision, "a"); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
	if _, err := w.try(t, wire.AuditAdmin, "b"); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
	if err := os.Remove(next); err != nil {
		t.Fatal(err)
	}
	if _, err := w.try(t, wire.AuditAdmin, "c"); err != nil {
		t.Fatal(err)
	}
	clock.step(lastRetry)
	if _, err := w.try(t, wire.AuditDecision, "d"); err != nil {
		t.Fatal(err)
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	if s, err := Verify(dir); err != nil || s.Segments != 4 {
		t.Fatalf("%+v, %v", s, err)
	}
}

func TestRetriesBecomeRarer(t *testing.T) {
	w, clock, _ := bench(t)
	attempts := 0
	w.sync = func(*os.File) error {
		attempts++
		return syscall.EIO
	}
	for range 600 { // a minute
		if _, err := w.try(t, wire.AuditDecision, "x"); !errors.Is(err, ErrClosed) {
			t.Fatal(err)
		}
		clock.step(firstRetry)
	}
	if attempts < 10 || attempts > 60 {
		t.Errorf("%d attempts in a minute", attempts)
	}
}

func TestAGivenUpRecordIsNotWritten(t *testing.T) {
	w, _, _ := bench(t)
	raw, err := encode(decision("given up"))
	if err != nil {
		t.Fatal(err)
	}
	p := &pending{record: raw, done: make(chan struct{})}
	p.stage.Store(abandoned)
	before := w.last.seq
	w.settle([]*pending{p})
	if w.last.seq != before {
		t.Error("it was written")
	}
}

// TestWhatCannotBeSummedUpGoesOnBeingCounted counts while the disk fails.
func TestWhatCannotBeSummedUpGoesOnBeingCounted(t *testing.T) {
	w, clock, dir := bench(t)
	l := &Log{options: w.options}
	for range 5 {
		l.CountAnonymousDenial()
	}
	w.sync = func(*os.File) error { return syscall.EIO }
	l.sumUp(w)
	l.CountAnonymousDenial()
	w.sync = syncData
	clock.step(lastRetry)
	l.sumUp(w)
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	if got := sums(t, dir); len(got) != 1 || got[0] != 6 {
		t.Errorf("%v", got)
	}
}
