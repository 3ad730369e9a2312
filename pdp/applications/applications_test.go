package applications

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
	"github.com/menshen-zt/menshen/pdp/store/bolt"
)

var portal = wire.Portal{ID: "por-1", Agency: "moda"}

// strict loads a file of the name "good" as its text.
func strict(files map[string][]byte) (string, error) {
	text, ok := files["good"]
	if !ok {
		return "", errors.New("e.json:1: not good")
	}
	return string(text), nil
}

func files(text string) map[string][]byte { return map[string][]byte{"good": []byte(text)} }

func open(t *testing.T) *bolt.Store {
	t.Helper()
	s, err := bolt.Open(filepath.Join(t.TempDir(), "store"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func keep(t *testing.T, s store.Store, load func(map[string][]byte) (string, error)) *Keeper[string] {
	t.Helper()
	k, err := New(t.Context(), Config[string]{Store: s, Load: load, Keep: time.Hour, Clock: time.Now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestAnApplicationsLife(t *testing.T) {
	s := open(t)
	k := keep(t, s, strict)
	if k.Of(portal.ID) != nil {
		t.Fatal("there is one already")
	}
	if err := k.Remove(t.Context(), portal); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("removed what is not there: %v", err)
	}
	for i, text := range []string{"one", "two"} {
		kept, err := k.Set(t.Context(), portal, files(text), "uid:7")
		if err != nil || kept.Number != i+1 || kept.SetBy != "uid:7" || kept.SetAt.IsZero() {
			t.Fatalf("%+v, %v", kept, err)
		}
		if got := k.Of(portal.ID); got.Loaded != text || got.Broken {
			t.Errorf("%+v", got)
		}
	}
	if _, err := k.Set(t.Context(), wire.Portal{ID: "por-2", Agency: "nstc"}, files("other"), "uid:0"); err != nil {
		t.Fatal(err)
	}
	var refused *InputError
	if _, err := k.Set(t.Context(), portal, map[string][]byte{"bad": nil}, "uid:7"); !errors.As(err, &refused) || refused.Reason().Code != reason.CfgApplication || refused.Reason().Args["detail"] != "e.json:1: not good" {
		t.Errorf("%v", err)
	}
	if got := k.Of(portal.ID); got.Loaded != "two" {
		t.Errorf("a refused set took effect: %+v", got)
	}
	again := keep(t, s, strict)
	if got, kept, err := again.Files(portal.ID); err != nil || got.Number != 2 || got.Loaded != "two" || string(kept["good"]) != "two" {
		t.Errorf("after a start: %+v, %q, %v", got, kept, err)
	}
	if err := again.Remove(t.Context(), portal); err != nil {
		t.Fatal(err)
	}
	if _, _, err := again.Files(portal.ID); !errors.Is(err, store.ErrNotFound) || again.Of(portal.ID) != nil {
		t.Errorf("removed, and there: %v", err)
	}
	last := keep(t, s, strict)
	if last.Of(portal.ID) != nil || last.Of("por-2").Loaded != "other" {
		t.Error("what was removed came back, or took another with it")
	}
	if kept, err := last.Set(t.Context(), portal, files("three"), "uid:7"); err != nil || kept.Number != 4 {
		t.Errorf("a number is used again: %+v, %v", kept, err)
	}
}

// What can be loaded no more is known as broken: it is not the same as none.
func TestWhatCannotBeLoadedIsBroken(t *testing.T) {
	s := open(t)
	if _, err := keep(t, s, strict).Set(t.Context(), portal, files("one"), "uid:7"); err != nil {
		t.Fatal(err)
	}
	k := keep(t, s, func(map[string][]byte) (string, error) { return "half", errors.New("no") })
	if got := k.Of(portal.ID); got == nil || !got.Broken || got.Number != 1 {
		t.Errorf("%+v", got)
	}
	if _, kept, err := k.Files(portal.ID); err != nil || string(kept["good"]) != "one" {
		t.Errorf("%q, %v", kept, err)
	}
	key := store.Key(kind, portal.Agency, portal.ID)
	if _, err := s.Txn(t.Context(), nil, []store.Op{{Key: key, Value: []byte(`{"v":1,"portal":"por-1","number":1,"packed":"AAAA"}`)}}); err != nil {
		t.Fatal(err)
	}
	if got := keep(t, s, strict).Of(portal.ID); got == nil || !got.Broken {
		t.Errorf("damaged: %+v", got)
	}
	if _, err := s.Txn(t.Context(), nil, []store.Op{{Key: key, Value: []byte(`{"v":9}`)}}); err != nil {
		t.Fatal(err)
	}
	if _, err := New(t.Context(), Config[string]{Store: s, Load: strict, Keep: time.Hour, Clock: time.Now, Logger: slog.New(slog.DiscardHandler)}); err == nil {
		t.Error("a record of another program was read")
	}
}

func TestWhatIsTooLargeIsNotKept(t *testing.T) {
	k := keep(t, open(t), strict)
	noise := make([]byte, 2<<20)
	if _, err := rand.Read(noise); err != nil {
		t.Fatal(err)
	}
	var refused *InputError
	if _, err := k.Set(t.Context(), portal, map[string][]byte{"good": noise}, "uid:7"); !errors.As(err, &refused) || refused.Reason().Code != reason.CfgApplicationLarge {
		t.Errorf("%v", err)
	}
	if _, err := k.Set(t.Context(), portal, map[string][]byte{"good": bytes.Repeat([]byte("entity "), 500_000)}, "uid:7"); err != nil {
		t.Errorf("what packs well: %v", err)
	}
}

// failing is a store that takes no writes.
type failing struct{ store.Store }

func (failing) Txn(context.Context, []store.Compare, []store.Op) (int64, error) {
	return 0, store.ErrUnavailable
}

func TestWhatIsNotStoredHasNoEffect(t *testing.T) {
	s := open(t)
	if _, err := keep(t, s, strict).Set(t.Context(), portal, files("one"), "uid:7"); err != nil {
		t.Fatal(err)
	}
	k := keep(t, failing{s}, strict)
	if _, err := k.Set(t.Context(), portal, files("two"), "uid:7"); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("%v", err)
	}
	if err := k.Remove(t.Context(), portal); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("%v", err)
	}
	if got := k.Of(portal.ID); got == nil || got.Loaded != "one" {
		t.Errorf("%+v", got)
	}
}

// Readers see one set or the next, and the last one set is the one that stays.
func TestChangesAtOnce(t *testing.T) {
	s := open(t)
	k := keep(t, s, strict)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for _, text := range []string{"a", "b", "c"} {
				if _, err := k.Set(t.Context(), portal, files(text), "uid:7"); err != nil {
					t.Error(err)
				}
				if got := k.Of(portal.ID); got == nil || len(got.Loaded) != 1 {
					t.Errorf("%+v", got)
				}
			}
		})
	}
	all.Wait()
	if now, then := k.Of(portal.ID), keep(t, s, strict).Of(portal.ID); now.Number != 24 || then.Number != 24 || now.Loaded != then.Loaded {
		t.Errorf("%+v, after a start %+v", now, then)
	}
}
