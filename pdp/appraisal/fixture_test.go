package appraisal

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/seal"
	"github.com/menshen-zt/menshen/pdp/store"
	"github.com/menshen-zt/menshen/pdp/store/bolt"
)

// log is an audit log in memory, or a full disk.
type log struct {
	mu      sync.Mutex
	records []wire.AuditRecord
	full    bool
}

func (l *log) Append(_ context.Context, r wire.AuditRecord) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.full {
		return 0, errors.New("no space")
	}
	l.records = append(l.records, r)
	return uint64(len(l.records)), nil
}

func (l *log) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.records)
}

// failing is a store whose transactions fail when it is told so.
type failing struct {
	store.Store
	broken bool
}

func (f *failing) Txn(ctx context.Context, c []store.Compare, ops []store.Op) (int64, error) {
	if f.broken {
		return 0, store.ErrUnavailable
	}
	return f.Store.Txn(ctx, c, ops)
}

// boots keeps boots in memory.
type boots struct {
	kept   map[string]wire.Boot
	broken bool
}

func (b *boots) Boot(_ context.Context, id string) (wire.Boot, error) {
	boot, ok := b.kept[id]
	if !ok || b.broken {
		return boot, store.ErrNotFound
	}
	return boot, nil
}

func (b *boots) Saw(_ context.Context, dev wire.Device, boot wire.Boot) error {
	if b.broken {
		return store.ErrUnavailable
	}
	if b.kept == nil {
		b.kept = map[string]wire.Boot{}
	}
	b.kept[dev.ID] = boot
	return nil
}

type fixture struct {
	*Appraiser
	store *failing
	audit *log
	path  string
	next  func(Input) wire.Appraised
	again func(Reviewed) wire.Appraised
	seen  Input
	boots *boots

	mu   sync.Mutex
	told []string
}

var (
	laptop = wire.Device{ID: "dev-00000000000000000000000001", Agency: "moda", Name: "LT-1", Status: wire.DeviceActive}
	other  = wire.Device{ID: "dev-00000000000000000000000002", Agency: "moda", Name: "LT-2", Status: wire.DeviceActive}

	channelA = [32]byte{1}
	channelB = [32]byte{2}
)

func healthy(in Input) wire.Appraised {
	return wire.Appraised{AttestationResult: wire.AttestationResult{
		Vector: wire.TrustVector{InstanceIdentity: wire.Affirming, Hardware: wire.Affirming},
		Clock:  wire.TPMClock{Clock: 5, ResetCount: 1},
	}}
}

func forged(Input) wire.Appraised {
	return wire.Appraised{AttestationResult: wire.AttestationResult{
		Vector:   wire.TrustVector{InstanceIdentity: wire.Contraindicated},
		Findings: []wire.Finding{{Type: wire.FindingTampered}},
	}}
}

// open must be called inside a synctest bubble, close before its end.
func open(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{audit: &log{}, path: filepath.Join(t.TempDir(), "store"), next: healthy, boots: &boots{}}
	f.reopen(t)
	return f
}

// reopen is a restart of the PDP: memory is gone, the file stays.
func (f *fixture) reopen(t *testing.T) {
	t.Helper()
	if f.store != nil {
		f.close(t)
	}
	s, err := bolt.Open(f.path, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	f.store = &failing{Store: s}
	f.Appraiser, err = New(t.Context(), Config{
		Store: f.store, Sealer: seal.New([32]byte{7}), Recorder: f.audit, Clock: time.Now, Random: rand.Reader, Logger: slog.New(slog.DiscardHandler),
		Verify: func(in Input) wire.Appraised { f.seen = in; return f.next(in) },
		Review: func(in Reviewed) wire.Appraised { return f.again(in) },
		Boots:  f.boots,
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Subscribe(func(id string) { f.mu.Lock(); f.told = append(f.told, id); f.mu.Unlock() })
}

func (f *fixture) close(t *testing.T) {
	t.Helper()
	if err := f.store.Close(); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) notices() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.told)
}

func (f *fixture) nonce(t *testing.T) wire.NonceAnswer {
	t.Helper()
	n, err := f.Nonce(t.Context(), laptop, channelA)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (f *fixture) submit(t *testing.T, n wire.NonceAnswer) (wire.AttestAnswer, error) {
	t.Helper()
	return f.Attest(t.Context(), laptop, channelA, wire.AttestRequest{Ticket: n.Ticket})
}

func (f *fixture) attest(t *testing.T) wire.AttestAnswer {
	t.Helper()
	out, err := f.submit(t, f.nonce(t))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (f *fixture) wants(t *testing.T, want wire.Standing) {
	t.Helper()
	if got := f.Standing(laptop.ID).Standing; got != want {
		t.Errorf("standing %q, want %q", got, want)
	}
}

func refusedWith(t *testing.T, err error, code string) {
	t.Helper()
	var told interface{ Reason() wire.Reason }
	if !errors.As(err, &told) || told.Reason().Code != code {
		t.Errorf("error %v, want %s", err, code)
	}
}
