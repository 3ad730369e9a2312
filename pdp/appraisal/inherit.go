package appraisal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// Inherit has made, a device's record under another id, go on from the
// counters that old reached, so that a transfer washes nothing clean. Results
// do not go along: the device attests anew. What it returns belongs into the
// transaction that makes the record; if that fails, Forget made.
func (a *Appraiser) Inherit(ctx context.Context, old, made wire.Device) ([]store.Compare, []store.Op, error) {
	from := store.Key(kind, old.Agency, old.ID)
	record, err := a.Store.Get(ctx, from, store.Linearizable)
	if errors.Is(err, store.ErrNotFound) {
		return []store.Compare{{Key: from}}, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("appraisal: inheriting: %w", err)
	}
	var k kept
	if err := json.Unmarshal(record.Value, &k); err != nil || k.V != schema {
		return nil, nil, fmt.Errorf("appraisal: unreadable result %s, schema version %d: %w", from, k.V, err)
	}
	k.Result, k.Refused = wire.AttestationResult{}, false
	value, err := json.Marshal(k)
	if err != nil {
		return nil, nil, fmt.Errorf("appraisal: %w", err)
	}
	to := store.Key(kind, made.Agency, made.ID)
	now := a.Clock()
	a.mu.Lock()
	a.restore(a.known(made.ID), k, now, now)
	a.mu.Unlock()
	return []store.Compare{{Key: from, Revision: record.Revision}, {Key: to}}, []store.Op{{Key: to, Value: value}}, nil
}
