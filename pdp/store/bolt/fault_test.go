package bolt

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/menshen-zt/menshen/internal/disktest"
	"github.com/menshen-zt/menshen/pdp/store"
	"github.com/menshen-zt/menshen/pdp/store/storetest"
)

func TestKill(t *testing.T) {
	storetest.Crash(t, func(path string) (store.Store, error) { return Open(path, Options{}) })
}

func TestASecondProcessIsToldFast(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s := open(t, path)
	began := time.Now()
	if _, err := Open(path, Options{}); !errors.Is(err, ErrLocked) {
		t.Fatalf("Open: %v", err)
	}
	if _, err := Check(path); !errors.Is(err, ErrLocked) {
		t.Fatalf("Check: %v", err)
	}
	if waited := time.Since(began); waited > 3*time.Second {
		t.Errorf("it took %v", waited)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, path)
}

func TestTheFileIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	open(t, path)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatal(info, err)
	}
	left, err := filepath.Glob(path + ".new-*")
	if err != nil || len(left) != 0 {
		t.Fatal(left, err)
	}
}

func TestAFullDiskLosesNothing(t *testing.T) {
	disktest.Run(t, 2<<20, func(t *testing.T, disk string) {
		path := filepath.Join(disk, "state.db")
		s := open(t, path)
		first := mustPut(t, s, "a", "before")
		free := disktest.Fill(t, disk)
		var err error
		written := 0
		for ; err == nil && written < 1000; written++ {
			_, err = s.Txn(t.Context(), nil, []store.Op{{Key: "big", Value: []byte(strings.Repeat("x", 100_000))}})
		}
		if !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("a full disk after %d writes: %v", written, err)
		}
		if r, err := s.Get(t.Context(), "a", store.Linearizable); err != nil || r.Revision != first {
			t.Fatalf("reading on a full disk: %+v, %v", r, err)
		}
		select {
		case <-s.Broken():
			t.Fatal("a full disk broke the store")
		default:
		}
		free()
		mustPut(t, s, "big", strings.Repeat("y", 100_000))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, path)
		if r, err := s.Get(t.Context(), "a", store.Linearizable); err != nil || string(r.Value) != "before" {
			t.Fatalf("%+v, %v", r, err)
		}
	})
}

func TestCreatingOnAFullDiskLeavesNoHalfStore(t *testing.T) {
	disktest.Run(t, 1<<20, func(t *testing.T, disk string) {
		path := filepath.Join(disk, "state.db")
		free := disktest.Fill(t, disk)
		if s, err := Open(path, Options{}); err == nil {
			_ = s.Close()
			t.Fatal("a new store on a full disk")
		}
		free()
		open(t, path)
	})
}

func mustPut(t *testing.T, s *Store, key, value string) int64 {
	t.Helper()
	revision, err := s.Txn(t.Context(), nil, []store.Op{{Key: key, Value: []byte(value)}})
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

// TestAFailedCommitIsUndone fails before the meta page is written.
func TestAFailedCommitIsUndone(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state.db"))
	first := mustPut(t, s, "a", "1")
	commit := s.commit
	s.commit = func(tx *bbolt.Tx) error { return errors.Join(tx.Rollback(), syscall.EIO) }
	if _, err := s.Txn(t.Context(), nil, []store.Op{{Key: "a", Value: []byte("2")}}); !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, syscall.EIO) {
		t.Fatalf("Txn: %v", err)
	}
	if _, err := s.Take(t.Context(), "a"); !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("Take: %v", err)
	}
	s.commit = commit
	if r, err := s.Take(t.Context(), "a"); err != nil || string(r.Value) != "1" || r.Revision != first {
		t.Fatalf("%+v, %v", r, err)
	}
}

// TestAnUnknownOutcomeStopsTheStore fails after the meta page was written: the
// last fsync, of which nobody can say what it brought to the disk.
func TestAnUnknownOutcomeStopsTheStore(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state.db"))
	mustPut(t, s, "a", "1")
	batches, err := s.Watch(t.Context(), "", 0)
	if err != nil {
		t.Fatal(err)
	}
	s.commit = func(tx *bbolt.Tx) error { return errors.Join(tx.Commit(), syscall.EIO) }
	if _, err := s.Take(t.Context(), "a"); !errors.Is(err, store.ErrIndeterminate) || !errors.Is(err, syscall.EIO) {
		t.Fatalf("Take: %v", err)
	}
	<-s.Broken()
	for b := range batches { // ends, and never tells of what is not certain
		if len(b.Events) > 0 {
			t.Errorf("%+v", b)
		}
	}
	if _, err := s.Get(t.Context(), "a", store.Local); !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, syscall.EIO) {
		t.Errorf("Get: %v", err)
	}
	if _, err := s.Txn(t.Context(), nil, []store.Op{{Key: "b"}}); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Txn: %v", err)
	}
	if _, err := s.Watch(t.Context(), "", 0); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Watch: %v", err)
	}
}

// TestAFaultWhileWritingStopsTheStore panics inside the transaction, as bbolt
// does over pages that make no sense.
func TestAFaultWhileWritingStopsTheStore(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state.db"))
	s.commit = func(*bbolt.Tx) error { panic("page 7 makes no sense") }
	if _, err := s.Txn(t.Context(), nil, []store.Op{{Key: "b"}}); !errors.Is(err, store.ErrIndeterminate) {
		t.Fatal(err)
	}
	<-s.Broken()
}

// TestAFileCutUnderTheMappingDoesNotCrash cuts the file while it is mapped: the
// kernel answers reads with a fault.
func TestAFileCutUnderTheMappingDoesNotCrash(t *testing.T) {
	for name, use := range map[string]func(s *Store) error{
		"Get":  func(s *Store) error { _, err := s.Get(t.Context(), "/v1/thing/_/00250", store.Local); return err },
		"Scan": func(s *Store) error { _, err := s.Scan(t.Context(), "", "", 0); return err },
		"Take": func(s *Store) error { _, err := s.Take(t.Context(), "/v1/thing/_/00250"); return err },
	} {
		t.Run(name, func(t *testing.T) {
			path := sample(t, 300)
			s, err := Open(path, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(path, 2*pageSize); err != nil {
				t.Fatal(err)
			}
			if err := use(s); !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, store.ErrIndeterminate) {
				t.Fatalf("%v", err)
			}
			<-s.Broken()
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			wantDamage(t, path, "pages in a file of")
		})
	}
}

// TestADamagedRecordIsNotGivenOut changes a value behind the checks at Open.
func TestADamagedRecordIsNotGivenOut(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "state.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	revision := mustPut(t, s, "a", "right")
	mustPut(t, s, "b", "right")
	err = s.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(bucket))
		raw := append([]byte(nil), b.Get([]byte("a"))...)
		raw[len(raw)-1] ^= 1
		return b.Put([]byte("a"), raw)
	})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := s.Get(t.Context(), "a", store.Local); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Get: %+v, %v", r, err)
	}
	if page, err := s.Scan(t.Context(), "", "", 0); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Scan: %+v, %v", page, err)
	}
	if r, err := s.Take(t.Context(), "a"); !errors.Is(err, store.ErrUnavailable) || r.Value != nil {
		t.Errorf("Take: %+v, %v", r, err)
	}
	if _, err := s.Txn(t.Context(), []store.Compare{{Key: "a", Revision: revision}}, []store.Op{{Key: "c"}}); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Txn: %v", err)
	}
	if r, err := s.Get(t.Context(), "b", store.Local); err != nil || string(r.Value) != "right" {
		t.Errorf("its neighbour: %+v, %v", r, err)
	}
}

// TestAnEndedWaitTellsWhatItKnows ends the context of writes while the disk
// takes its time: the one being written is indeterminate, the one in the queue
// has not happened.
func TestAnEndedWaitTellsWhatItKnows(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state.db"))
	entered, release := make(chan struct{}), make(chan struct{})
	commit := s.commit
	s.commit = func(tx *bbolt.Tx) error {
		entered <- struct{}{}
		<-release
		return commit(tx)
	}
	ctx, cancel := context.WithCancel(t.Context())
	answers := make(chan error, 2)
	put := func(key string) {
		_, err := s.Txn(ctx, nil, []store.Op{{Key: key, Value: []byte("1")}})
		answers <- err
	}
	go put("writing")
	<-entered
	go put("queued")
	for len(s.queue) == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	var indeterminate, ended int
	for range 2 {
		switch err := <-answers; {
		case errors.Is(err, store.ErrIndeterminate) && errors.Is(err, context.Canceled):
			indeterminate++
		case errors.Is(err, context.Canceled):
			ended++
		default:
			t.Errorf("%v", err)
		}
	}
	if indeterminate != 1 || ended != 1 {
		t.Errorf("%d indeterminate, %d not begun", indeterminate, ended)
	}
	close(release)
	go func() { <-entered }()
	mustPut(t, s, "later", "1")
	if _, err := s.Get(t.Context(), "writing", store.Linearizable); err != nil {
		t.Errorf("the write that was being written: %v", err)
	}
	if _, err := s.Get(t.Context(), "queued", store.Linearizable); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the write that was given up: %v", err)
	}
}

// TestCloseAnswersEverybody closes the store under writers.
func TestCloseAnswersEverybody(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state.db"))
	done := make(chan error, 64)
	for range 64 {
		go func() {
			for {
				if _, err := s.Txn(context.Background(), nil, []store.Op{{Key: "a", Value: []byte("1")}}); err != nil {
					done <- err
					return
				}
			}
		}()
	}
	time.Sleep(20 * time.Millisecond)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for range 64 {
		if err := <-done; !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%v", err)
		}
	}
}
