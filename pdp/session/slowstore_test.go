package session

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// slow is a store whose disk answers nobody while it is told to: no real disk
// does so on demand.
type slow struct {
	store.Store
	stuck atomic.Bool
}

// Txn implements store.Store.
func (s *slow) Txn(ctx context.Context, conditions []store.Compare, ops []store.Op) (int64, error) {
	if s.stuck.Load() {
		<-ctx.Done()
		return 0, errors.Join(store.ErrUnavailable, ctx.Err())
	}
	return s.Store.Txn(ctx, conditions, ops)
}

// TestASlowStoreHoldsUpNoKnownSession: who is signed in goes on, and a sign-in
// ends with an error and no cookie.
func TestASlowStoreHoldsUpNoKnownSession(t *testing.T) {
	b := newBench(t)
	disk := &slow{Store: b.Manager.store}
	b.Manager.store = disk
	cookie := b.create(who{})
	b.want(b.read(cookie), wire.AccessGranted, "")
	disk.stuck.Store(true)
	began := make(chan error)
	go func() {
		_, err := b.tryCreate(who{person: "per-2", device: "dev-2"})
		began <- err
	}()
	for {
		select {
		case err := <-began:
			if !errors.Is(err, store.ErrUnavailable) {
				t.Error("a sign-in that was not stored:", err)
			}
			b.want(b.read(cookie), wire.AccessGranted, "")
			return
		default:
			time.Sleep(time.Millisecond)
			b.want(b.read(cookie), wire.AccessGranted, "")
		}
	}
}
