package sweeper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/pdp/store"
	"github.com/menshen-zt/menshen/pdp/store/bolt"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func put(t *testing.T, s store.Store, kind, id string, value any) string {
	t.Helper()
	raw, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	key := store.Key(kind, "_", id)
	if _, err := s.Txn(context.Background(), nil, []store.Op{{Key: key, Value: raw}}); err != nil {
		t.Fatal(err)
	}
	return key
}

func TestSweepTakesOnlyWhatEnded(t *testing.T) {
	ctx := context.Background()
	s, err := bolt.Open(filepath.Join(t.TempDir(), "db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	type record struct {
		Expires time.Time `json:"expires,omitzero"`
	}
	stays := []string{
		put(t, s, "spent", "future", record{noon.Add(time.Second)}),
		put(t, s, "spent", "in-grace", record{noon.Add(-Grace)}),
		put(t, s, "spent", "endless", record{}),
		put(t, s, "spent", "no-document", "text"),
		put(t, s, "device", "another-kind", record{noon.Add(-time.Hour)}),
	}
	const ended = 2*pageSize + 7
	for i := range ended {
		put(t, s, "spent", fmt.Sprintf("old-%04d", i), record{noon.Add(-Grace - time.Second)})
	}
	n, err := Sweep(ctx, s, []string{"spent"}, noon)
	if err != nil || n != ended {
		t.Fatalf("swept %d, %v, want %d", n, err, ended)
	}
	for _, key := range stays {
		if _, err := s.Get(ctx, key, store.Linearizable); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
	if _, err := s.Get(ctx, store.Key("spent", "_", "old-0000"), store.Linearizable); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an ended record is still there: %v", err)
	}
}
