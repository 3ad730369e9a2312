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
	var j judged
	if err := json.Unmarshal(record.Value, &j); err != nil || j.V != schema {
		return nil, nil, fmt.Errorf("appraisal: unreadable result %s, schema version %d: %w", from, j.V, err)
	}
	j = judged{V: schema, Clock: j.Clock, Cloned: j.Cloned}
	value, err := json.Marshal(j)
	if err != nil {
		return nil, nil, fmt.Errorf("appraisal: %w", err)
	}
	to := store.Key(kind, made.Agency, made.ID)
	now := a.Clock()
	a.mu.Lock()
	a.restore(a.known(made.ID), j, now, now)
	a.mu.Unlock()
	return []store.Compare{{Key: from, Revision: record.Revision}, {Key: to}}, []store.Op{{Key: to, Value: value}}, nil
}
