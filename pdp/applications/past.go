package applications

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// PastKind is the store's kind of applications that others took the place of.
// Their values say when they expire, for the sweeper.
const PastKind = "application-past"

// MaxPast bounds how many of a portal's past applications are kept: the latest.
const MaxPast = 16

// past is an application that was in force once.
type past struct {
	record
	Expires time.Time `json:"expires"`
}

func pastKey(portal wire.Portal, number int) string {
	return store.Key(PastKind, portal.Agency, portal.ID+"."+strconv.Itoa(number))
}

// keepPast keeps what is about to be replaced, and makes room.
func (k *Keeper[T]) keepPast(ctx context.Context, portal wire.Portal, last *record) error {
	if last.Number == 0 || last.Removed {
		return nil
	}
	value, err := json.Marshal(past{*last, k.config.Clock().Add(k.config.Keep).UTC()})
	if err != nil {
		return fmt.Errorf("applications: %w", err)
	}
	ops := []store.Op{{Key: pastKey(portal, last.Number), Value: value}}
	if oldest := last.Number - MaxPast; oldest > 0 {
		ops = append(ops, store.Op{Key: pastKey(portal, oldest), Delete: true})
	}
	if _, err := k.config.Store.Txn(ctx, nil, ops); err != nil {
		return fmt.Errorf("applications: keeping the past: %w", err)
	}
	return nil
}

// At returns a portal's application by its number, also one that was in force
// once. Where it is not kept any more the error wraps store.ErrNotFound.
func (k *Keeper[T]) At(ctx context.Context, portal wire.Portal, number int) (*Kept[T], error) {
	if kept := k.Of(portal.ID); kept != nil && kept.Number == number && !kept.Broken {
		return kept, nil
	}
	stored, err := k.config.Store.Get(ctx, pastKey(portal, number), store.Linearizable)
	if err != nil {
		return nil, fmt.Errorf("applications: number %d: %w", number, err)
	}
	var r past
	if err := json.Unmarshal(stored.Value, &r); err != nil || r.V != schema {
		return nil, fmt.Errorf("applications: unreadable record %s, schema version %d: %w", stored.Key, r.V, err)
	}
	if !k.config.Clock().Before(r.Expires) {
		return nil, fmt.Errorf("applications: number %d: its time is over: %w", number, store.ErrNotFound)
	}
	kept := &Kept[T]{Info: r.Info}
	if kept.files, err = unpack(r.Packed); err != nil {
		return nil, err
	}
	if kept.Loaded, err = k.config.Load(kept.files); err != nil {
		return nil, fmt.Errorf("applications: number %d can be loaded no more: %w: %w", number, store.ErrNotFound, err)
	}
	return kept, nil
}
