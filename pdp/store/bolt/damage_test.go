package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/menshen-zt/menshen/pdp/store"
)

// sample makes a closed store with records small and large, some deleted.
func sample(t testing.TB, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		ops := []store.Op{{Key: fmt.Sprintf("/v1/thing/_/%05d", i), Value: bytes.Repeat([]byte{byte(i)}, i*37%1500)}}
		if i%50 == 1 {
			ops = append(ops, store.Op{Key: fmt.Sprintf("/v1/big/_/%05d", i), Value: make([]byte, 20_000)})
		}
		if i%7 == 6 {
			ops = append(ops, store.Op{Key: fmt.Sprintf("/v1/thing/_/%05d", i-3), Delete: true})
		}
		if _, err := s.Txn(t.Context(), nil, ops); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCheckReportsASoundStore(t *testing.T) {
	for _, n := range []int{0, 1, 3, 20, 700} {
		path := sample(t, n)
		report, err := Check(path)
		if err != nil || report.Revision != int64(n) {
			t.Fatalf("%d writes: %+v, %v", n, report, err)
		}
		s := open(t, path)
		records := 0
		for after := ""; ; {
			page, err := s.Scan(t.Context(), "", after, 0)
			if err != nil {
				t.Fatal(err)
			}
			records += len(page.Records)
			if after = page.Next; after == "" {
				break
			}
		}
		if records != report.Records {
			t.Errorf("%d records, Check counted %d", records, report.Records)
		}
	}
}

func TestWhatIsNoStoreIsRefused(t *testing.T) {
	foreign := func(change func(*bbolt.Tx) error) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			db, err := bbolt.Open(path, 0o600, &bbolt.Options{PageSize: pageSize, NoFreelistSync: true})
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(db.Update(change), db.Close()); err != nil {
				t.Fatal(err)
			}
		}
	}
	content := func(b []byte) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		make func(*testing.T, string)
		why  string
	}{
		"empty":        {content(nil), "unreadable"},
		"text":         {content([]byte("hello\n")), "unreadable"},
		"zeros":        {content(make([]byte, 1<<16)), "not a store"},
		"bbolt, empty": {foreign(func(*bbolt.Tx) error { return nil }), "not the root"},
		"bbolt, another program's": {foreign(func(tx *bbolt.Tx) error {
			_, err := tx.CreateBucket([]byte("theirs"))
			return err
		}), "instead of"},
		"bbolt, a second bucket": {foreign(func(tx *bbolt.Tx) error {
			_, err := tx.CreateBucket([]byte(bucket))
			_, err2 := tx.CreateBucket([]byte("theirs"))
			return errors.Join(err, err2)
		}), "not the root"},
		"bbolt, a bucket in the bucket": {foreign(func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucket([]byte(bucket))
			if err != nil {
				return err
			}
			_, err = b.CreateBucket([]byte("inner"))
			return err
		}), "not a record"},
		"bbolt, a foreign value": {foreign(func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucket([]byte(bucket))
			if err != nil {
				return err
			}
			return b.Put([]byte("k"), []byte("v"))
		}), "checksum"},
		"a record newer than the store": {foreign(func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucket([]byte(bucket))
			if err != nil {
				return err
			}
			raw := blank([]byte("v"))
			stamp(raw, "k", 1)
			return b.Put([]byte("k"), raw) // the sequence stays 0
		}), "newer"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "state.db")
			c.make(t, path)
			wantDamage(t, path, c.why)
		})
	}
}

// wantDamage expects a *DamagedError of Check and of Open, and that Open
// leaves the file as it is.
func wantDamage(t *testing.T, path, why string) {
	t.Helper()
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var damaged *DamagedError
	if _, err := Check(path); !errors.As(err, &damaged) || damaged.Path != path || !strings.Contains(damaged.Why, why) {
		t.Fatalf("Check: %v, want %s", err, why)
	}
	if r := damaged.Reason(); r.Code == "" || r.Args["file"] != path {
		t.Errorf("%+v", r)
	}
	s, err := Open(path, Options{})
	if err == nil {
		_ = s.Close()
	}
	if !errors.As(err, &damaged) {
		t.Fatalf("Open: %v", err)
	}
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(before, after) {
		t.Fatalf("the file was changed: %v", err)
	}
}

func TestACutFileIsRefused(t *testing.T) {
	path := sample(t, 300)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{4096, 8192, 3 * 4096, info.Size() / 64, info.Size() / 32} {
		if err := os.Truncate(path, size); err == nil {
			defer func() { _ = os.Truncate(path, info.Size()) }()
		}
		if _, err := Check(path); err == nil {
			t.Errorf("cut to %d bytes of %d", size, info.Size())
		}
		path = sample(t, 300)
	}
}

// TestEveryFlippedBitIsHarmless flips bits all over a store. Either the flip is
// found, or it lies where nothing is read and the store gives out exactly what
// was written. It never faults.
func TestEveryFlippedBitIsHarmless(t *testing.T) {
	path := sample(t, 120)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := contents(t, path)
	r := rand.New(rand.NewPCG(1, 2))
	found, silent := 0, 0
	for range 3000 {
		at, bit := r.IntN(64*pageSize), byte(1)<<r.IntN(8)
		raw[at] ^= bit
		_, err := checkPages(bytes.NewReader(raw), int64(len(raw)))
		var damaged *DamagedError
		switch {
		case errors.As(err, &damaged):
			found++
		case err != nil:
			t.Fatal(err)
		default:
			silent++
			if silent%10 == 0 { // opening is slow
				flipped := filepath.Join(t.TempDir(), "state.db")
				if err := os.WriteFile(flipped, raw, 0o600); err != nil {
					t.Fatal(err)
				}
				if got := contents(t, flipped); got != want && at >= 2*pageSize {
					t.Fatalf("a flipped bit at %d changed what is given out", at)
				}
			}
		}
		raw[at] ^= bit
	}
	if found < 500 {
		t.Errorf("only %d flips of 3000 were found, %d had no effect", found, silent)
	}
}

// contents opens a store and returns all its records.
func contents(t *testing.T, path string) string {
	t.Helper()
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var all bytes.Buffer
	for after := ""; ; {
		page, err := s.Scan(t.Context(), "", after, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Records {
			fmt.Fprintf(&all, "%s %d %x\n", r.Key, r.Revision, r.Value)
		}
		if after = page.Next; after == "" {
			return all.String()
		}
	}
}

// FuzzCheck writes arbitrary bytes over a sound store, three bytes of place and
// one of content each, and makes the meta pages' checksums right again, so that
// the pages behind them are reached. Whatever Check then accepts, bbolt must be
// able to open and read.
func FuzzCheck(f *testing.F) {
	var base [][]byte
	for _, n := range []int{0, 2, 30, 200} {
		raw, err := os.ReadFile(sample(f, n))
		if err != nil {
			f.Fatal(err)
		}
		base = append(base, raw[:min(len(raw), 64*pageSize)])
	}
	patch := func(at uint32, to byte) []byte { return []byte{byte(at >> 16), byte(at >> 8), byte(at), to} }
	f.Add(byte(0), []byte{})
	f.Add(byte(1), patch(3*pageSize+8, flagBranch))
	f.Add(byte(2), patch(2*pageSize+10, 0xff))
	f.Add(byte(3), patch(5*pageSize+12, 3))
	f.Add(byte(3), append(patch(pageHeader+16, 7), patch(pageSize+pageHeader+16, 7)...))
	f.Add(byte(3), patch(pageHeader+40, 0xff))
	f.Fuzz(func(t *testing.T, which byte, patches []byte) {
		raw := bytes.Clone(base[int(which)%len(base)])
		for ; len(patches) >= 4; patches = patches[4:] {
			at := int(patches[0])<<16 | int(patches[1])<<8 | int(patches[2])
			raw[at%len(raw)] = patches[3]
		}
		for id := range 2 {
			m := raw[id*pageSize+pageHeader:]
			sum := fnv.New64a()
			sum.Write(m[:56])
			native.PutUint64(m[56:], sum.Sum64())
		}
		report, err := checkPages(bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			return
		}
		path := filepath.Join(t.TempDir(), "state.db")
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(contents(t, path), "\n"); n != report.Records {
			t.Fatalf("%d records, Check counted %d", n, report.Records)
		}
	})
}
