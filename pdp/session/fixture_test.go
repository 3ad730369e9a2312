package session

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/recorded"
	"github.com/menshen-zt/menshen/pdp/seal"
	"github.com/menshen-zt/menshen/pdp/store"
	"github.com/menshen-zt/menshen/pdp/store/bolt"
)

var (
	office    = netip.MustParseAddr("192.0.2.10")
	cafe      = netip.MustParseAddr("198.51.100.7")
	thePlace  = wire.Portal{ID: "por-hr", Agency: "moda", Origin: "https://hr.test"}
	beginning = time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)
)

// bench is a Manager on a real store with an engine, tokens and a log that the
// test commands.
type bench struct {
	used uint64 // that were told
	*Manager
	t     testing.TB
	path  string
	store store.Store
	// inputs seals, unless sealErr is set.
	inputs  *recorded.Keeper
	sealErr error

	mu       sync.Mutex
	now      time.Time
	decide   func(Subject, wire.Action) (wire.Facts, wire.Decision, error)
	mint     func() (string, time.Time, error)
	logErr   error
	records  []wire.AuditRecord
	decided  int
	onAppend func(wire.AuditRecord)
	hang     bool // the log answers nobody
}

func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{t: t, path: filepath.Join(t.TempDir(), "store.db"), now: beginning}
	b.decide = func(Subject, wire.Action) (wire.Facts, wire.Decision, error) {
		return wire.Facts{Person: wire.Person{ID: "per-1", Name: "Wang", Agency: "moda", Account: "wang"}}, wire.Decision{Effect: wire.Allow, ValidUntil: b.clock().Add(time.Hour)}, nil
	}
	b.open()
	t.Cleanup(func() { b.shut(); _ = b.store.Close() })
	return b
}

func (b *bench) open() {
	b.t.Helper()
	s, err := bolt.Open(b.path, bolt.Options{})
	if err != nil {
		b.t.Fatal(err)
	}
	b.store = s
	if b.inputs, err = recorded.New(recorded.Config{Store: s, Sealer: seal.New([32]byte{1}), Clock: b.clock, Random: rand.Reader, Keep: 180 * 24 * time.Hour}); err != nil {
		b.t.Fatal(err)
	}
	m, err := New(b.t.Context(), Config{Store: s, Engine: b, Tokens: b, Recorder: b, Inputs: b, Clock: b.clock, Random: rand.Reader,
		Logger: slog.New(slog.DiscardHandler), Limits: DefaultLimits(), Used: b.heard})
	if err != nil {
		b.t.Fatal(err)
	}
	b.Manager = m
}

// crash loses what is in memory only, as kill -9 does.
func (b *bench) crash() {
	b.t.Helper()
	if err := b.store.Close(); err != nil {
		b.t.Fatal(err)
	}
	b.open()
}

func (b *bench) clock() time.Time { b.mu.Lock(); defer b.mu.Unlock(); return b.now }

// pass lets time go by as Run would see it, in steps of a second.
func (b *bench) pass(d time.Duration) {
	for end := b.clock().Add(d); b.clock().Before(end); {
		b.mu.Lock()
		b.now = b.now.Add(min(time.Second, end.Sub(b.now)))
		now := b.now
		b.mu.Unlock()
		if now.Sub(beginning)%(5*time.Second) == 0 || b.recordedUntil.Load() == 0 {
			b.flush(b.t.Context(), now)
		}
		if now.Sub(beginning)%time.Minute == 0 {
			b.sweep(b.t.Context(), now)
			b.persist(b.t.Context())
		}
	}
}

func (b *bench) Decide(_ context.Context, s Subject, a wire.Action) (wire.Facts, wire.Decision, error) {
	b.mu.Lock()
	b.decided++
	decide := b.decide
	b.mu.Unlock()
	return decide(s, a)
}

func (b *bench) Mint(context.Context, string, *wire.Facts, *wire.Decision) (string, time.Time, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mint != nil {
		return b.mint()
	}
	return fmt.Sprintf("token-%d", b.decided), b.now.Add(5 * time.Minute), nil
}

func (b *bench) Append(ctx context.Context, r wire.AuditRecord) (uint64, error) {
	if b.hang {
		<-ctx.Done()
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.onAppend != nil {
		b.onAppend(r)
	}
	if b.logErr != nil {
		return 0, b.logErr
	}
	b.records = append(b.records, r)
	return uint64(len(b.records)), nil
}

func (b *bench) Seal(ctx context.Context, agency, person, decision string, canonical []byte) (wire.SealedInputs, error) {
	b.mu.Lock()
	err := b.sealErr
	b.mu.Unlock()
	if err != nil {
		return wire.SealedInputs{}, err
	}
	return b.inputs.Seal(ctx, agency, person, decision, canonical)
}

var errLog = errors.New("disk full")

func (b *bench) closeLog(err error) { b.mu.Lock(); b.logErr = err; b.mu.Unlock() }

func (b *bench) count(kind wire.AuditKind) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, r := range b.records {
		if r.Kind == kind {
			n++
		}
	}
	return n
}

func (b *bench) decisions() int { b.mu.Lock(); defer b.mu.Unlock(); return b.decided }

// who is one login.
type who struct {
	ctx                 context.Context
	person, device, key string
	portal              wire.Portal
	at                  netip.Addr
	signedIn            time.Time
	previous            string
	binding             wire.DeviceBinding // device and time are filled in
}

func (b *bench) create(w who) string {
	b.t.Helper()
	cookie, err := b.tryCreate(w)
	if err != nil {
		b.t.Fatal(err)
	}
	return cookie
}

func (b *bench) tryCreate(w who) (string, error) {
	if w.person == "" {
		w.person = "per-1"
	}
	if w.device == "" {
		w.device = "dev-1"
	}
	if w.key == "" {
		w.key = "key-1"
	}
	if w.portal.ID == "" {
		w.portal = thePlace
	}
	if !w.at.IsValid() {
		w.at = office
	}
	if w.signedIn.IsZero() {
		w.signedIn = b.clock()
	}
	var previous [32]byte
	if w.previous != "" {
		previous = sha256.Sum256([]byte(w.previous))
	}
	if w.binding.Way == "" {
		w.binding.Way = wire.BindingFetch
	}
	w.binding.DeviceID, w.binding.At = w.device, b.clock()
	if w.ctx == nil {
		w.ctx = b.t.Context()
	}
	return b.Create(w.ctx, w.portal, wire.Login{
		SignIn:  wire.SignIn{PersonID: w.person, KeyID: w.key, At: w.signedIn, AAL: 3},
		Binding: w.binding, Portal: w.portal.ID, ReturnPath: "/",
	}, w.at, previous)
}

func ask(cookie string, from netip.Addr, a wire.Action) wire.AccessRequest {
	return wire.AccessRequest{Portal: &thePlace, CookieHash: sha256.Sum256([]byte(cookie)), Address: from, Action: a}
}

func (b *bench) read(cookie string) wire.Access {
	return b.Authorize(b.t.Context(), ask(cookie, office, wire.ActionRead))
}

func (b *bench) want(a wire.Access, outcome wire.AccessOutcome, code string) {
	b.t.Helper()
	if a.Outcome != outcome || a.Reason.Code != code {
		b.t.Fatalf("outcome %d %q, not %d %q", a.Outcome, a.Reason.Code, outcome, code)
	}
	if outcome != wire.AccessGranted && a.Token != "" {
		b.t.Fatal("a token without an allow")
	}
}

func ptr[T any](v T) *T { return &v }

func storeOps(key, value string) []store.Op { return []store.Op{{Key: key, Value: []byte(value)}} }

// heard is Config.Used.
func (b *bench) heard(_ string, _ wire.Action, n uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used += n
}
