package recorded

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/seal"
	"github.com/menshen-zt/menshen/pdp/store"
	"github.com/menshen-zt/menshen/pdp/store/bolt"
	"github.com/menshen-zt/menshen/pdp/sweeper"
)

const (
	agency   = "moda"
	person   = "per-alice"
	decision = "dec-1"
)

var canonical = []byte(`{"salt":"AAEC","facts":{"person":{"name":"王小明"}}}`)

// ring is a Keeper on a real store, with the clock in hand.
type ring struct {
	*Keeper
	t     testing.TB
	path  string
	store *counting
	now   time.Time
}

// counting counts the writes of a real store.
type counting struct {
	store.Store
	mu     sync.Mutex
	writes int
}

func (c *counting) Txn(ctx context.Context, conditions []store.Compare, ops []store.Op) (int64, error) {
	c.mu.Lock()
	c.writes++
	c.mu.Unlock()
	return c.Store.Txn(ctx, conditions, ops)
}

func newRing(t testing.TB) *ring {
	t.Helper()
	r := &ring{t: t, path: filepath.Join(t.TempDir(), "store.db"), now: time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)}
	s, err := bolt.Open(r.path, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	r.store = &counting{Store: s}
	r.restart([32]byte{1})
	return r
}

// restart forgets what is in memory.
func (r *ring) restart(keyring [32]byte) { r.keeping(keyring, 180*24*time.Hour) }

func (r *ring) keeping(keyring [32]byte, keep time.Duration) {
	r.t.Helper()
	var err error
	r.Keeper, err = New(Config{Store: r.store, Sealer: seal.New(keyring), Clock: func() time.Time { return r.now }, Random: rand.Reader, Keep: keep})
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *ring) seal(agency, person, decision string) wire.SealedInputs {
	r.t.Helper()
	s, err := r.Seal(r.t.Context(), agency, person, decision, canonical)
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

func (r *ring) wantOpen(s wire.SealedInputs) {
	r.t.Helper()
	if got, err := r.Open(r.t.Context(), agency, person, decision, s); err != nil || !bytes.Equal(got, canonical) {
		r.t.Fatalf("%q, %v", got, err)
	}
}

func (r *ring) wantError(s wire.SealedInputs, want error) {
	r.t.Helper()
	if got, err := r.Open(r.t.Context(), agency, person, decision, s); !errors.Is(err, want) || got != nil {
		r.t.Fatalf("%q, %v, not %v", got, err, want)
	}
}

// live returns everything that the store's live records hold.
func (r *ring) live() (all []store.Record) {
	r.t.Helper()
	for after := ""; ; {
		page, err := r.store.Scan(r.t.Context(), "/", after, 0)
		if err != nil {
			r.t.Fatal(err)
		}
		all = append(all, page.Records...)
		if after = page.Next; after == "" {
			return all
		}
	}
}

func TestWhatIsSealedOpensAgain(t *testing.T) {
	r := newRing(t)
	s := r.seal(agency, person, decision)
	if bytes.Contains(s.Box, []byte("salt")) || bytes.Contains(s.Box, []byte("facts")) {
		t.Error("the inputs lie in the open")
	}
	r.wantOpen(s)
	r.restart([32]byte{1})
	r.wantOpen(s)
	if again := r.seal(agency, person, decision); again.Key != s.Key || bytes.Equal(again.Box, s.Box) {
		t.Error("one key serves a period, and no two boxes are alike")
	}
}

func TestABoxIsBoundToItsDecision(t *testing.T) {
	r := newRing(t)
	mine, other := r.seal(agency, person, decision), r.seal(agency, "per-bob", "dec-2")
	r.seal("moi", person, "dec-3")
	flipped := wire.SealedInputs{Key: mine.Key, Box: bytes.Clone(mine.Box)}
	flipped.Box[len(flipped.Box)-20] ^= 1
	for name, c := range map[string]struct {
		agency, person, decision string
		sealed                   wire.SealedInputs
		want                     error
	}{
		"another decision":             {agency, person, "dec-2", mine, ErrForged},
		"a flipped bit":                {agency, person, decision, flipped, ErrForged},
		"cut short":                    {agency, person, decision, wire.SealedInputs{Key: mine.Key, Box: mine.Box[:saltSize-1]}, ErrForged},
		"too long":                     {agency, person, decision, wire.SealedInputs{Key: mine.Key, Box: make([]byte, saltSize+maxBox+17)}, ErrForged},
		"another person's box":         {agency, person, "dec-2", wire.SealedInputs{Key: mine.Key, Box: other.Box}, ErrForged},
		"another agency's key":         {"moi", person, decision, mine, ErrErased},
		"another person's key":         {agency, "per-bob", decision, mine, ErrErased},
		"a key that is none":           {agency, person, decision, wire.SealedInputs{Key: "x", Box: mine.Box}, ErrForged},
		"a key of a period to come":    {agency, person, decision, wire.SealedInputs{Key: "99999." + strings.Repeat("0", 16), Box: mine.Box}, ErrForged},
		"a key that there never was":   {agency, person, decision, wire.SealedInputs{Key: mine.Key[:len(mine.Key)-1] + "x", Box: mine.Box}, ErrErased},
		"nothing":                      {agency, person, decision, wire.SealedInputs{}, ErrForged},
		"the key of a negative period": {agency, person, decision, wire.SealedInputs{Key: "-1.0", Box: mine.Box}, ErrForged},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := r.Open(t.Context(), c.agency, c.person, c.decision, c.sealed); !errors.Is(err, c.want) || got != nil {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func TestAnotherKeyringOpensNothing(t *testing.T) {
	r := newRing(t)
	s := r.seal(agency, person, decision)
	r.restart([32]byte{2})
	if got, err := r.Open(t.Context(), agency, person, decision, s); err == nil || errors.Is(err, ErrErased) || got != nil {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := r.Seal(t.Context(), agency, person, decision, canonical); err == nil {
		t.Error("sealed under a key that could not be read")
	}
}

func TestErasing(t *testing.T) {
	r := newRing(t)
	s := r.seal(agency, person, decision)
	elsewhere := r.seal("moi", person, decision)
	theirs := r.seal(agency, "per-alice2", decision)
	var keys []stored
	for _, rec := range r.live() {
		var k stored
		if err := json.Unmarshal(rec.Value, &k); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(rec.Key, person+".") {
			keys = append(keys, k)
		}
	}
	r.now = r.now.Add(Period)
	later := r.seal(agency, person, "dec-2")
	if n, err := r.Erase(t.Context(), person, []string{agency, "moi", "none"}); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	r.wantError(s, ErrErased)
	if _, err := r.Open(t.Context(), agency, person, "dec-2", later); !errors.Is(err, ErrErased) {
		t.Error("the second period:", err)
	}
	if _, err := r.Open(t.Context(), "moi", person, decision, elsewhere); !errors.Is(err, ErrErased) {
		t.Error("the other agency:", err)
	}
	if _, err := r.Open(t.Context(), agency, "per-alice2", decision, theirs); err != nil {
		t.Error("somebody else's were erased too:", err)
	}
	if len(keys) != 2 {
		t.Fatalf("%d keys were stored", len(keys))
	}
	for _, rec := range r.live() {
		for _, k := range keys {
			if bytes.Contains(rec.Value, []byte(k.Sealed)) {
				t.Error("a copy of the key is left at", rec.Key)
			}
		}
	}
	// Who goes on working gets a new key, which opens nothing of the past.
	fresh := r.seal(agency, person, "dec-2")
	if fresh.Key == later.Key {
		t.Error("a name is used twice")
	}
	if _, err := r.Open(t.Context(), agency, person, "dec-2", later); !errors.Is(err, ErrErased) {
		t.Error("after a new key was made:", err)
	}
	if n, err := r.Erase(t.Context(), person, []string{agency}); n != 1 || err != nil {
		t.Error(n, err)
	}
}

func TestKeysEndByTime(t *testing.T) {
	r := newRing(t)
	s := r.seal(agency, person, decision)
	end := r.ends(periodOf(r.now))
	if life := end.Sub(r.now); life > 180*24*time.Hour || life <= 150*24*time.Hour {
		t.Errorf("kept for %v", life)
	}
	r.now = end.Add(-time.Nanosecond)
	r.wantOpen(s)
	r.now = end
	r.wantError(s, ErrErased)
	if n, err := sweeper.Sweep(t.Context(), r.store, []string{Kind}, end.Add(sweeper.Grace+time.Second)); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if all := r.live(); len(all) != 0 {
		t.Errorf("%d records are left", len(all))
	}
}

// A setting that was made longer brings nothing back; one that was made shorter
// is heeded at once.
func TestTheTimeThatIsKeptChanges(t *testing.T) {
	r := newRing(t)
	s := r.seal(agency, person, decision)
	end := r.ends(periodOf(r.now))
	r.now = r.now.Add(2 * Period)
	r.keeping([32]byte{1}, 2*Period)
	r.wantError(s, ErrErased)
	r.keeping([32]byte{1}, 400*24*time.Hour)
	r.wantOpen(s)
	r.now = end
	r.wantError(s, ErrErased)
}

func TestOneWriteForAPersonAndPeriod(t *testing.T) {
	r := newRing(t)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if _, err := r.Seal(t.Context(), agency, person, decision, canonical); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	r.now = r.now.Add(askAgain)
	r.seal(agency, person, decision)
	r.restart([32]byte{1})
	r.seal(agency, person, decision)
	if r.store.writes != 1 {
		t.Errorf("%d writes", r.store.writes)
	}
	r.now = r.now.Add(Period)
	r.seal(agency, person, decision)
	if r.store.writes != 2 {
		t.Errorf("%d writes after a new period began", r.store.writes)
	}
}

// Another replica erased the key: within ten minutes this one does not use it
// any more.
func TestAKeyErasedElsewhere(t *testing.T) {
	r := newRing(t)
	first := r.seal(agency, person, decision)
	here := r.Keeper
	r.restart([32]byte{1})
	if _, err := r.Erase(t.Context(), person, []string{agency}); err != nil {
		t.Fatal(err)
	}
	r.now = r.now.Add(askAgain)
	s, err := here.Seal(t.Context(), agency, person, decision, canonical)
	if err != nil || s.Key == first.Key {
		t.Fatal(s.Key, err)
	}
	r.wantOpen(s)
}

func TestKnownKeysAreBounded(t *testing.T) {
	c := newCache()
	for i := range 3 * mostKnown {
		c.put(owner{agency, string(rune(i))}, &personKey{})
	}
	if n := len(c.young) + len(c.old); n > 2*mostKnown {
		t.Errorf("%d keys in memory", n)
	}
}

func TestInputsAreBounded(t *testing.T) {
	r := newRing(t)
	if _, err := r.Seal(t.Context(), agency, person, decision, make([]byte, maxCanonical+1)); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	noise := make([]byte, maxBox+1)
	if _, err := rand.Read(noise); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Seal(t.Context(), agency, person, decision, noise); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	s, err := r.Seal(t.Context(), agency, person, decision, make([]byte, maxCanonical))
	if err != nil || len(s.Box) > saltSize+maxBox+16 {
		t.Error(len(s.Box), err)
	}
}

// Whatever keeps a key from being read or made is an error, never a box.
func TestWhatFailsSealsNothing(t *testing.T) {
	r := newRing(t)
	for name, broken := range map[string]Config{
		"no randomness": {Store: r.store, Sealer: seal.New([32]byte{1}), Random: bytes.NewReader(nil)},
		"no salt":       {Store: r.store, Sealer: seal.New([32]byte{1}), Random: io.LimitReader(rand.Reader, 8+32)},
		"no store":      {Store: closed(t), Sealer: seal.New([32]byte{1}), Random: rand.Reader},
	} {
		broken.Clock, broken.Keep = r.Keeper.config.Clock, r.Keeper.config.Keep
		k, err := New(broken)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := k.Seal(t.Context(), agency, "per-"+name, decision, canonical); err == nil || s.Box != nil {
			t.Errorf("%s: sealed", name)
		}
	}
	at := owner{agency, person}.storeKey(periodOf(r.now))
	for _, bad := range []string{`{}`, `x`, `{"v":2}`, `{"v":1,"expires":"2027-01-01T00:00:00Z","name":"1.2","sealed":"eA"}`} {
		if _, err := r.store.Store.Txn(t.Context(), nil, []store.Op{{Key: at, Value: []byte(bad)}}); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Seal(t.Context(), agency, person, decision, canonical); err == nil {
			t.Errorf("sealed under %s", bad)
		}
	}
}

func closed(t *testing.T) store.Store {
	t.Helper()
	s, err := bolt.Open(filepath.Join(t.TempDir(), "store.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAKeeperNeedsEverything(t *testing.T) {
	r := newRing(t)
	whole := r.Keeper.config
	for name, take := range map[string]func(*Config){
		"store": func(c *Config) { c.Store = nil }, "sealer": func(c *Config) { c.Sealer = nil },
		"clock": func(c *Config) { c.Clock = nil }, "random": func(c *Config) { c.Random = nil },
		"time": func(c *Config) { c.Keep = Period },
	} {
		c := whole
		if take(&c); func() error { _, err := New(c); return err }() == nil {
			t.Errorf("made without %s", name)
		}
	}
}
