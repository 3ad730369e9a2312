package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/pdp/store"
)

// patience bounds every wait of the suite.
const patience = 10 * time.Second

func watch(t *testing.T, s store.Store, prefix string, revision int64) <-chan store.Batch {
	t.Helper()
	batches, err := s.Watch(t.Context(), prefix, revision)
	if err != nil {
		t.Fatalf("watching %s from %d: %v", prefix, revision, err)
	}
	return batches
}

// next returns the next batch, false at the end.
func next(t *testing.T, batches <-chan store.Batch) (store.Batch, bool) {
	t.Helper()
	select {
	case b, ok := <-batches:
		return b, ok
	case <-time.After(patience):
		t.Fatal("the watch says nothing")
		return store.Batch{}, false
	}
}

// change returns the next batch that carries events.
func change(t *testing.T, batches <-chan store.Batch) store.Batch {
	t.Helper()
	for {
		b, ok := next(t, batches)
		if !ok {
			t.Fatal("the watch ended")
		}
		if len(b.Events) > 0 {
			return b
		}
	}
}

func testWatchPresent(t *testing.T, open Opener) {
	s, _ := open(t)
	before := put(t, s, "w/old", "1")
	batches := watch(t, s, "w/", 0)
	if first, _ := next(t, batches); first.Revision != before || len(first.Events) != 0 {
		t.Fatalf("the first batch is not progress to %d: %+v", before, first)
	}
	put(t, s, "elsewhere", "1")
	revision, err := s.Txn(t.Context(), nil, []store.Op{
		{Key: "w/a", Value: []byte("1")}, {Key: "x", Value: []byte("2")}, {Key: "w/old", Delete: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	b := change(t, batches)
	if b.Revision != revision || len(b.Events) != 2 {
		t.Fatalf("%+v at %d, want two events at %d", b.Events, b.Revision, revision)
	}
	if e := b.Events[0]; e.Key != "w/a" || string(e.Value) != "1" || e.Revision != revision || e.Deleted {
		t.Errorf("put: %+v", e)
	}
	if e := b.Events[1]; e.Key != "w/old" || !e.Deleted || e.Value != nil {
		t.Errorf("delete: %+v", e)
	}
	if _, err := s.Take(t.Context(), "w/a"); err != nil {
		t.Fatal(err)
	}
	if e := change(t, batches).Events[0]; e.Key != "w/a" || !e.Deleted {
		t.Errorf("take: %+v", e)
	}
}

// testWatchOrder checks that a watcher hears every revision of many concurrent
// writers exactly once, in order.
func testWatchOrder(t *testing.T, open Opener) {
	s, _ := open(t)
	batches := watch(t, s, "o/", 0)
	const each = 20
	heard := make(chan error, 1)
	go func() { heard <- inOrder(batches, callers*each) }()
	together(func(i int) {
		for n := range each {
			if _, err := s.Txn(t.Context(), nil, []store.Op{{Key: fmt.Sprintf("o/%d/%d", i, n), Value: []byte("v")}}); err != nil {
				t.Error(err)
			}
		}
	})
	select {
	case err := <-heard:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(patience):
		t.Fatal("not everything was heard")
	}
}

func inOrder(batches <-chan store.Batch, n int) error {
	var at int64
	seen := map[string]bool{}
	for b := range batches {
		if b.Revision < at || len(b.Events) > 0 && b.Revision == at {
			return fmt.Errorf("revision %d after %d", b.Revision, at)
		}
		at = b.Revision
		for _, e := range b.Events {
			if seen[e.Key] {
				return fmt.Errorf("%s was heard twice", e.Key)
			}
			seen[e.Key] = true
		}
		if len(seen) == n {
			return nil
		}
	}
	return fmt.Errorf("the watch ended after %d of %d", len(seen), n)
}

func testWatchReplay(t *testing.T, open Opener) {
	s, _ := open(t)
	from := put(t, s, "r/0", "v")
	for i := 1; i <= 5; i++ {
		put(t, s, fmt.Sprintf("r/%d", i), "v")
		put(t, s, fmt.Sprintf("other/%d", i), "v")
	}
	batches := watch(t, s, "r/", from)
	for i := 1; i <= 5; i++ {
		if b := change(t, batches); b.Events[0].Key != fmt.Sprintf("r/%d", i) {
			t.Fatalf("%+v at place %d", b.Events, i)
		}
	}
	put(t, s, "r/6", "v")
	if b := change(t, batches); b.Events[0].Key != "r/6" {
		t.Fatalf("%+v", b.Events)
	}
}

func testWatchProgress(t *testing.T, open Opener) {
	s, _ := open(t)
	batches := watch(t, s, "quiet/", 0)
	revision := put(t, s, "loud/1", "v")
	for {
		b, ok := next(t, batches)
		if !ok || len(b.Events) > 0 {
			t.Fatalf("%+v, %v", b, ok)
		}
		if b.Revision == revision {
			break
		}
	}
	began := time.Now()
	if b, _ := next(t, batches); b.Revision != revision {
		t.Fatalf("progress to %d, want %d again", b.Revision, revision)
	}
	if waited := time.Since(began); waited > 1500*time.Millisecond {
		t.Errorf("an idle watch was silent for %v", waited)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended, err := s.Watch(ctx, "quiet/", 0)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	for range ended { // closes
	}
}

func testWatchCompacted(t *testing.T, open Opener) {
	s, reopen := open(t)
	first := put(t, s, "c", "1")
	last := put(t, s, "c", "2")
	if _, err := s.Watch(t.Context(), "c", last+1); !errors.Is(err, store.ErrCompacted) {
		t.Errorf("a revision of the future: %v", err)
	}
	if _, err := s.Watch(t.Context(), "c", -1); !errors.Is(err, store.ErrCompacted) {
		t.Errorf("a negative revision: %v", err)
	}
	// A store may keep its history over a reopening, or say that it has not.
	s = reopen()
	batches, err := s.Watch(t.Context(), "c", first)
	switch {
	case errors.Is(err, store.ErrCompacted):
	case err != nil:
		t.Fatal(err)
	default:
		if b := change(t, batches); b.Revision != last {
			t.Errorf("heard %d, missed %d", b.Revision, last)
		}
	}
	if batches, err = s.Watch(t.Context(), "c", last); err != nil {
		t.Fatalf("from the present: %v", err)
	}
	if b, _ := next(t, batches); b.Revision != last {
		t.Errorf("%+v", b)
	}
}

// testWatchSlow lets a reader sleep while far more changes than any store has
// to keep go by: it must hear a true beginning and then the end, never a gap.
func testWatchSlow(t *testing.T, open Opener) {
	s, _ := open(t)
	batches := watch(t, s, "s/", 0)
	value := strings.Repeat("x", store.MaxValueBytes/2)
	const n = 100
	for i := range n {
		put(t, s, fmt.Sprintf("s/%d", i%4), value)
		put(t, s, "elsewhere", fmt.Sprint(i))
	}
	at, heard := int64(-1), 0
	for b := range batches {
		if len(b.Events) == 0 {
			if heard == n {
				return // a store that keeps everything is welcome
			}
			continue
		}
		if at >= 0 && b.Revision != at+2 {
			t.Fatalf("a gap: %d after %d", b.Revision, at)
		}
		at = b.Revision
		heard++
	}
	if _, err := s.Watch(t.Context(), "s/", max(at, 1)); !errors.Is(err, store.ErrCompacted) {
		t.Errorf("after %d of %d changes the watch ended, yet goes on: %v", heard, n, err)
	}
}

func testReopen(t *testing.T, open Opener) {
	s, reopen := open(t)
	a := put(t, s, "a", "1")
	put(t, s, "gone", "1")
	if _, err := s.Take(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	last := put(t, s, "b", "2")
	for range 3 {
		s = reopen()
		want(t, s, "a", "1", a)
		wantNone(t, s, "gone")
		if _, err := s.Txn(t.Context(), []store.Compare{{Key: "a", Revision: a}}, nil); err != nil {
			t.Fatalf("the revision of a changed: %v", err)
		}
		revision := put(t, s, "b", "2")
		if revision <= last {
			t.Fatalf("revision %d after %d", revision, last)
		}
		last = revision
	}
}

func testClose(t *testing.T, open Opener) {
	s, _ := open(t)
	put(t, s, "a", "1")
	batches := watch(t, s, "a", 0)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for range batches { // ends
	}
	if _, err := s.Get(t.Context(), "a", store.Linearizable); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Get: %v", err)
	}
	if _, err := s.Scan(t.Context(), "a", "", 1); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Scan: %v", err)
	}
	if _, err := s.Txn(t.Context(), nil, []store.Op{{Key: "a", Delete: true}}); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Txn: %v", err)
	}
	if _, err := s.Take(t.Context(), "a"); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Take: %v", err)
	}
	if _, err := s.Watch(t.Context(), "a", 0); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Watch: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
}
