package storetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/menshen-zt/menshen/pdp/store"
)

const callers = 64

// together runs f in callers goroutines that start at once.
func together(f func(i int)) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range callers {
		all.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	all.Wait()
}

func testTakeRace(t *testing.T, open Opener) {
	s, _ := open(t)
	for round := range 20 {
		key := fmt.Sprintf("once/%d", round)
		put(t, s, key, "secret")
		var winners atomic.Int32
		together(func(int) {
			switch r, err := s.Take(t.Context(), key); {
			case err == nil && string(r.Value) == "secret":
				winners.Add(1)
			case !errors.Is(err, store.ErrNotFound):
				t.Errorf("%q, %v", r.Value, err)
			}
		})
		if n := winners.Load(); n != 1 {
			t.Fatalf("%d callers took %s", n, key)
		}
	}
}

func testTxnRace(t *testing.T, open Opener) {
	s, _ := open(t)
	for round := range 20 {
		key := fmt.Sprintf("spent/%d", round)
		var winners atomic.Int32
		together(func(i int) {
			beside := fmt.Sprintf("%s/%d", key, i)
			_, err := s.Txn(t.Context(), []store.Compare{{Key: key}},
				[]store.Op{{Key: key, Value: []byte(strconv.Itoa(i))}, {Key: beside, Value: []byte("x")}})
			switch {
			case err == nil:
				winners.Add(1)
			case !errors.Is(err, store.ErrConflict):
				t.Errorf("%d: %v", i, err)
			}
		})
		if n := winners.Load(); n != 1 {
			t.Fatalf("%d callers created %s", n, key)
		}
		page, err := s.Scan(t.Context(), key, "", 10)
		if err != nil || len(page.Records) != 2 || page.Records[1].Key != key+"/"+string(page.Records[0].Value) {
			t.Fatalf("a loser left something: %+v, %v", page.Records, err)
		}
	}
}

// testCounter adds to one number from many callers, each trying again after a
// conflict: a lost update would leave it too small.
func testCounter(t *testing.T, open Opener) {
	s, _ := open(t)
	put(t, s, "n", "0")
	const each = 5
	var revisions sync.Map
	together(func(int) {
		for range each {
			revision, err := increment(t.Context(), s, "n")
			if err != nil {
				t.Error(err)
				return
			}
			if _, twice := revisions.LoadOrStore(revision, true); twice {
				t.Errorf("revision %d was given twice", revision)
			}
		}
	})
	r, err := s.Get(t.Context(), "n", store.Linearizable)
	if err != nil || string(r.Value) != strconv.Itoa(callers*each) {
		t.Fatalf("%q, %v; want %d", r.Value, err, callers*each)
	}
}

func increment(ctx context.Context, s store.Store, key string) (int64, error) {
	for {
		r, err := s.Get(ctx, key, store.Linearizable)
		if err != nil {
			return 0, err
		}
		n, err := strconv.Atoi(string(r.Value))
		if err != nil {
			return 0, err
		}
		revision, err := s.Txn(ctx, []store.Compare{{Key: key, Revision: r.Revision}},
			[]store.Op{{Key: key, Value: []byte(strconv.Itoa(n + 1))}})
		if !errors.Is(err, store.ErrConflict) {
			return revision, err
		}
	}
}

func testContext(t *testing.T, open Opener) {
	s, _ := open(t)
	put(t, s, "a", "1")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Get(ended, "a", store.Local); !errors.Is(err, context.Canceled) {
		t.Errorf("Get: %v", err)
	}
	if _, err := s.Scan(ended, "a", "", 1); !errors.Is(err, context.Canceled) {
		t.Errorf("Scan: %v", err)
	}
	if _, err := s.Txn(ended, nil, []store.Op{{Key: "a", Delete: true}}); !errors.Is(err, context.Canceled) {
		t.Errorf("Txn: %v", err)
	}
	if _, err := s.Take(ended, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("Take: %v", err)
	}
	if _, err := s.Watch(ended, "a", 0); !errors.Is(err, context.Canceled) {
		t.Errorf("Watch: %v", err)
	}
	if _, err := s.Get(t.Context(), "a", store.Local); err != nil {
		t.Errorf("an ended context changed something: %v", err)
	}
}
