package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/pdp/store"
)

// Opener gives a new, empty store. The function that it returns beside closes
// that store if it is still open, and opens the same state again. The Opener
// closes whatever is still open when the test ends.
type Opener func(t *testing.T) (s store.Store, reopen func() store.Store)

// Run runs the whole suite, but for Crash, which needs processes.
func Run(t *testing.T, open Opener) {
	for _, part := range []struct {
		name string
		test func(*testing.T, Opener)
	}{
		{"Get", testGet},
		{"Put", testPut},
		{"TxnIsAllOrNothing", testTxn},
		{"TxnBounds", testBounds},
		{"ValuesAreCopied", testCopies},
		{"Scan", testScan},
		{"ScanPages", testScanPages},
		{"Take", testTake},
		{"TakeHasOneWinner", testTakeRace},
		{"TxnConflicts", testTxnRace},
		{"CounterLosesNothing", testCounter},
		{"EndedContext", testContext},
		{"WatchFromThePresent", testWatchPresent},
		{"WatchOrder", testWatchOrder},
		{"WatchReplays", testWatchReplay},
		{"WatchProgress", testWatchProgress},
		{"WatchCompacted", testWatchCompacted},
		{"WatchSlowReader", testWatchSlow},
		{"Reopen", testReopen},
		{"Close", testClose},
	} {
		t.Run(part.name, func(t *testing.T) { part.test(t, open) })
	}
}

func put(t *testing.T, s store.Store, key, value string) int64 {
	t.Helper()
	revision, err := s.Txn(t.Context(), nil, []store.Op{{Key: key, Value: []byte(value)}})
	if err != nil {
		t.Fatalf("put %s: %v", key, err)
	}
	return revision
}

func want(t *testing.T, s store.Store, key, value string, revision int64) {
	t.Helper()
	r, err := s.Get(t.Context(), key, store.Linearizable)
	if err != nil {
		t.Fatalf("get %s: %v", key, err)
	}
	if r.Key != key || string(r.Value) != value || r.Revision != revision {
		t.Fatalf("get %s: %q at %d, want %q at %d", key, r.Value, r.Revision, value, revision)
	}
}

func wantNone(t *testing.T, s store.Store, key string) {
	t.Helper()
	if r, err := s.Get(t.Context(), key, store.Linearizable); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("get %s: %q, %v; want ErrNotFound", key, r.Value, err)
	}
}

func testGet(t *testing.T, open Opener) {
	s, _ := open(t)
	key := store.Key("thing", "_", "a")
	wantNone(t, s, key)
	revision := put(t, s, key, "1")
	if revision < 1 {
		t.Fatalf("the first revision is %d", revision)
	}
	for _, how := range []store.Consistency{store.Linearizable, store.Local} {
		if r, err := s.Get(t.Context(), key, how); err != nil || string(r.Value) != "1" {
			t.Fatalf("consistency %d: %q, %v", how, r.Value, err)
		}
	}
	wantNone(t, s, store.Key("thing", "_", "aa"))
}

func testPut(t *testing.T, open Opener) {
	s, _ := open(t)
	first := put(t, s, "/v1/thing/_/a", "1")
	second := put(t, s, "/v1/thing/_/b", "")
	if second <= first {
		t.Fatalf("revision %d after %d", second, first)
	}
	want(t, s, "/v1/thing/_/a", "1", first)
	want(t, s, "/v1/thing/_/b", "", second)
	third := put(t, s, "/v1/thing/_/a", strings.Repeat("x", store.MaxValueBytes))
	want(t, s, "/v1/thing/_/a", strings.Repeat("x", store.MaxValueBytes), third)
}

func testTxn(t *testing.T, open Opener) {
	s, _ := open(t)
	ctx := t.Context()
	a := put(t, s, "a", "1")
	_, err := s.Txn(ctx, []store.Compare{{Key: "a", Revision: a}, {Key: "b", Revision: 7}},
		[]store.Op{{Key: "a", Delete: true}, {Key: "c", Value: []byte("3")}})
	if !errors.Is(err, store.ErrConflict) {
		t.Fatalf("a wrong revision: %v", err)
	}
	if _, err := s.Txn(ctx, []store.Compare{{Key: "a"}}, []store.Op{{Key: "a", Value: []byte("2")}}); !errors.Is(err, store.ErrConflict) {
		t.Fatalf("absence of a present key: %v", err)
	}
	want(t, s, "a", "1", a)
	wantNone(t, s, "c")

	revision, err := s.Txn(ctx, []store.Compare{{Key: "a", Revision: a}, {Key: "b"}},
		[]store.Op{{Key: "a", Delete: true}, {Key: "b", Value: []byte("2")}, {Key: "c", Value: []byte("3")}})
	if err != nil || revision <= a {
		t.Fatalf("a true comparison: %d, %v", revision, err)
	}
	wantNone(t, s, "a")
	want(t, s, "b", "2", revision)
	want(t, s, "c", "3", revision)

	for name, ops := range map[string][]store.Op{"nothing": nil, "deletes what is not there": {{Key: "zz", Delete: true}}} {
		if same, err := s.Txn(ctx, nil, ops); err != nil || same != revision {
			t.Errorf("a Txn that does %s: %d, %v; want %d", name, same, err, revision)
		}
	}
}

func testBounds(t *testing.T, open Opener) {
	s, _ := open(t)
	long := strings.Repeat("k", store.MaxKeyBytes+1)
	many := make([]store.Op, store.MaxTxnParts+1)
	conditions := make([]store.Compare, store.MaxTxnParts+1)
	for i := range many {
		many[i] = store.Op{Key: fmt.Sprint(i)}
		conditions[i] = store.Compare{Key: fmt.Sprint(i)}
	}
	for name, txn := range map[string]struct {
		conditions []store.Compare
		ops        []store.Op
	}{
		"empty key":           {nil, []store.Op{{Value: []byte("v")}}},
		"long key":            {nil, []store.Op{{Key: long}}},
		"long condition":      {[]store.Compare{{Key: long}}, nil},
		"negative revision":   {[]store.Compare{{Key: "a", Revision: -1}}, nil},
		"large value":         {nil, []store.Op{{Key: "a", Value: make([]byte, store.MaxValueBytes+1)}}},
		"key twice":           {nil, []store.Op{{Key: "a"}, {Key: "a", Delete: true}}},
		"too many ops":        {nil, many},
		"too many conditions": {conditions, nil},
	} {
		if _, err := s.Txn(t.Context(), txn.conditions, txn.ops); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Get(t.Context(), "", store.Local); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("Get: %v", err)
	}
	if _, err := s.Take(t.Context(), long); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("Take: %v", err)
	}
	if page, err := s.Scan(t.Context(), "", "", 0); err != nil || len(page.Records) != 0 {
		t.Errorf("something was written: %v, %v", page.Records, err)
	}
}

func testCopies(t *testing.T, open Opener) {
	s, _ := open(t)
	value := []byte("before")
	if _, err := s.Txn(t.Context(), nil, []store.Op{{Key: "a", Value: value}}); err != nil {
		t.Fatal(err)
	}
	copy(value, "after!")
	r, err := s.Get(t.Context(), "a", store.Local)
	if err != nil || string(r.Value) != "before" {
		t.Fatalf("%q, %v", r.Value, err)
	}
}

func testScan(t *testing.T, open Opener) {
	s, _ := open(t)
	for _, key := range []string{"/v1/a/x/1", "/v1/b/x/1", "/v1/b/x/2", "/v1/b/y/1", "/v1/bb/x/1", "/v1/c/x/1"} {
		put(t, s, key, key)
	}
	for _, c := range []struct{ prefix, after, keys string }{
		{"/v1/b/", "", "/v1/b/x/1 /v1/b/x/2 /v1/b/y/1"},
		{"/v1/b/x/", "", "/v1/b/x/1 /v1/b/x/2"},
		{"/v1/b/", "/v1/b/x/1", "/v1/b/x/2 /v1/b/y/1"},
		{"/v1/b/", "/v1/b/x/10", "/v1/b/x/2 /v1/b/y/1"},
		{"/v1/b/", "/v1/a", "/v1/b/x/1 /v1/b/x/2 /v1/b/y/1"},
		{"/v1/b/", "/v1/c", ""},
		{"/v1/nothing/", "", ""},
	} {
		page, err := s.Scan(t.Context(), c.prefix, c.after, 10)
		if err != nil || page.Next != "" {
			t.Fatalf("%s after %q: %v, next %q", c.prefix, c.after, err, page.Next)
		}
		var keys []string
		for _, r := range page.Records {
			keys = append(keys, r.Key)
			if string(r.Value) != r.Key || r.Revision < 1 || r.Revision > page.Revision {
				t.Errorf("%+v in a page at %d", r, page.Revision)
			}
		}
		if got := strings.Join(keys, " "); got != c.keys {
			t.Errorf("%s after %q: %s", c.prefix, c.after, got)
		}
	}
}

func testScanPages(t *testing.T, open Opener) {
	s, _ := open(t)
	const n = 25
	var last int64
	for i := range n {
		last = put(t, s, fmt.Sprintf("p/%03d", i), "v")
	}
	put(t, s, "q", "v")
	for _, limit := range []int{1, 7, 24, 25, 26, 0, store.MaxPageRecords + 1} {
		after, seen := "", 0
		for {
			page, err := s.Scan(t.Context(), "p/", after, limit)
			if err != nil {
				t.Fatal(err)
			}
			if page.Revision <= last {
				t.Fatalf("a page at %d, written until %d", page.Revision, last+1)
			}
			for _, r := range page.Records {
				if r.Key != fmt.Sprintf("p/%03d", seen) {
					t.Fatalf("limit %d: %s at place %d", limit, r.Key, seen)
				}
				seen++
			}
			if after = page.Next; after == "" {
				break
			}
		}
		if seen != n {
			t.Errorf("limit %d: %d records", limit, seen)
		}
	}
}

func testTake(t *testing.T, open Opener) {
	s, _ := open(t)
	revision := put(t, s, "once", "secret")
	r, err := s.Take(t.Context(), "once")
	if err != nil || r.Key != "once" || string(r.Value) != "secret" || r.Revision != revision {
		t.Fatalf("%+v, %v", r, err)
	}
	if _, err := s.Take(t.Context(), "once"); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("taken twice: %v", err)
	}
	wantNone(t, s, "once")
}
