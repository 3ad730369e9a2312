package applications

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/pdp/store"
	"github.com/menshen-zt/menshen/pdp/sweeper"
)

func (k *Keeper[T]) wantPast(t *testing.T, number int, want string) {
	t.Helper()
	kept, err := k.At(t.Context(), portal, number)
	switch {
	case want == "" && !errors.Is(err, store.ErrNotFound):
		t.Errorf("number %d: %+v, %v", number, kept, err)
	case want != "" && (err != nil || fmt.Sprint(kept.Loaded) != want || kept.Number != number):
		t.Errorf("number %d: %+v, %v", number, kept, err)
	}
}

// What others took the place of is found by its number, until its time is over.
func TestPastApplicationsAreKept(t *testing.T) {
	s, now := open(t), time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	k, err := New(t.Context(), Config[string]{Store: s, Load: strict, Keep: time.Hour, Clock: func() time.Time { return now }, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	set := func(text string) {
		t.Helper()
		if _, err := k.Set(t.Context(), portal, files(text), "uid:0"); err != nil {
			t.Fatal(err)
		}
	}
	set("one")
	k.wantPast(t, 1, "one")
	k.wantPast(t, 2, "")
	set("two")
	k.wantPast(t, 1, "one")
	k.wantPast(t, 2, "two")
	if err := k.Remove(t.Context(), portal); err != nil {
		t.Fatal(err)
	}
	k.wantPast(t, 2, "two")
	set("four")
	k.wantPast(t, 3, "") // nothing was in force
	k.wantPast(t, 4, "four")
	now = now.Add(time.Hour - 1)
	k.wantPast(t, 1, "one")
	now = now.Add(1)
	k.wantPast(t, 1, "")
	k.wantPast(t, 4, "four")
	if n, err := sweeper.Sweep(t.Context(), s, []string{PastKind}, now.Add(sweeper.Grace+1)); n != 2 || err != nil {
		t.Error(n, err)
	}
	for n := range MaxPast + 3 {
		set(fmt.Sprint("more ", n))
	}
	k.wantPast(t, 4+3, "more 2")
	k.wantPast(t, 4+2, "")
	page, err := s.Scan(t.Context(), store.Prefix(PastKind, ""), "", 0)
	if err != nil || len(page.Records) != MaxPast {
		t.Errorf("%d are kept, %v", len(page.Records), err)
	}
	again := keep(t, s, func(map[string][]byte) (string, error) { return "", errors.New("not by this program") })
	again.wantPast(t, 4+3, "")
	again.wantPast(t, 4+MaxPast+3, "")
}
