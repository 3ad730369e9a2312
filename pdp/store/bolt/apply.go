package bolt

import (
	"bytes"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/menshen-zt/menshen/pdp/store"
)

// applyAll applies each write to what the ones before it have left.
func applyAll(b *bbolt.Bucket, group []*write) ([]store.Batch, error) {
	revision := sequence(b)
	var changes []store.Batch
	for _, w := range group {
		events, err := w.apply(b, revision+1)
		if err != nil {
			return nil, err
		}
		if len(events) > 0 {
			revision++
			changes = append(changes, store.Batch{Revision: revision, Events: events})
		}
		w.outcome.revision = revision
	}
	if len(changes) == 0 {
		return nil, nil
	}
	return changes, b.SetSequence(uint64(revision)) // #nosec G115 -- positive
}

// apply makes the write's changes at revision, or sets its outcome's error. An
// error that it returns spoils the transaction.
func (w *write) apply(b *bbolt.Bucket, revision int64) ([]store.Event, error) {
	if w.take != "" {
		return w.applyTake(b, revision)
	}
	for _, c := range w.conditions {
		if w.outcome.err = compare(b, c); w.outcome.err != nil {
			return nil, nil
		}
	}
	events := make([]store.Event, 0, len(w.ops))
	for _, op := range w.ops {
		key := []byte(op.Key)
		if op.Delete {
			if b.Get(key) == nil {
				continue // nothing changes, so nobody is told
			}
			if err := b.Delete(key); err != nil {
				return nil, err
			}
			events = append(events, deleted(op.Key, revision))
			continue
		}
		stamp(op.Value, op.Key, revision)
		if err := b.Put(key, op.Value); err != nil {
			return nil, err
		}
		events = append(events, store.Event{Record: store.Record{Key: op.Key, Value: op.Value[recordHeader:], Revision: revision}})
	}
	return events, nil
}

func (w *write) applyTake(b *bbolt.Bucket, revision int64) ([]store.Event, error) {
	raw := b.Get([]byte(w.take))
	if raw == nil {
		w.outcome.err = store.ErrNotFound
		return nil, nil
	}
	taken, err := record(w.take, raw)
	if err != nil {
		w.outcome.err = fmt.Errorf("%w: %s: %w", store.ErrUnavailable, w.take, err)
		return nil, nil
	}
	taken.Value = bytes.Clone(taken.Value)
	if err := b.Delete([]byte(w.take)); err != nil {
		return nil, err
	}
	w.outcome.record = taken
	return []store.Event{deleted(w.take, revision)}, nil
}

func compare(b *bbolt.Bucket, c store.Compare) error {
	var revision int64
	if raw := b.Get([]byte(c.Key)); raw != nil {
		found, err := record(c.Key, raw)
		if err != nil {
			return fmt.Errorf("%w: %s: %w", store.ErrUnavailable, c.Key, err)
		}
		revision = found.Revision
	}
	if revision != c.Revision {
		return store.ErrConflict
	}
	return nil
}

func deleted(key string, revision int64) store.Event {
	return store.Event{Record: store.Record{Key: key, Revision: revision}, Deleted: true}
}
