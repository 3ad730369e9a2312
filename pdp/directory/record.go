package directory

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/menshen-zt/menshen/pdp/store"
)

// nobody stands for the agency in keys of kinds that belong to none.
const nobody = "_"

// schema is the version that every value carries.
const schema = 1

const (
	pageSize = 500
	attempts = 8 // of an update that loses races
)

type envelope[T any] struct {
	V     int `json:"v"`
	Value T   `json:"value"`
}

func put[T any](key string, value T) (store.Op, error) {
	raw, err := json.Marshal(envelope[T]{V: schema, Value: value})
	if err != nil {
		return store.Op{}, fmt.Errorf("directory: encoding: %w", err)
	}
	return store.Op{Key: key, Value: raw}, nil
}

// puts encodes an index record each for the keys, all naming id.
func puts(id string, keys ...string) ([]store.Op, error) {
	ops := make([]store.Op, 0, len(keys))
	for _, key := range keys {
		op, err := put(key, id)
		if err != nil {
			return nil, err
		}
		ops = append(ops, op)
	}
	return ops, nil
}

func absent(keys ...string) []store.Compare {
	conditions := make([]store.Compare, len(keys))
	for i, key := range keys {
		conditions[i] = store.Compare{Key: key}
	}
	return conditions
}

func decode[T any](r store.Record) (T, error) {
	var e envelope[T]
	if err := json.Unmarshal(r.Value, &e); err != nil {
		return e.Value, fmt.Errorf("directory: reading %s: %w", r.Key, err)
	}
	if e.V != schema {
		var zero T
		return zero, fmt.Errorf("directory: %s has schema version %d, this program knows %d", r.Key, e.V, schema)
	}
	return e.Value, nil
}

// get returns a record's value and revision, or ErrNotFound.
func get[T any](ctx context.Context, s store.Store, key string) (T, int64, error) {
	var zero T
	r, err := s.Get(ctx, key, store.Linearizable)
	if errors.Is(err, store.ErrNotFound) {
		return zero, 0, ErrNotFound
	}
	if err != nil {
		return zero, 0, fmt.Errorf("directory: %w", err)
	}
	value, err := decode[T](r)
	return value, r.Revision, err
}

// list returns every value under prefix in key order.
func list[T any](ctx context.Context, s store.Store, prefix string) ([]T, error) {
	var all []T
	for after := ""; ; {
		page, err := s.Scan(ctx, prefix, after, pageSize)
		if err != nil {
			return nil, fmt.Errorf("directory: %w", err)
		}
		for _, r := range page.Records {
			value, err := decode[T](r)
			if err != nil {
				return nil, err
			}
			all = append(all, value)
		}
		if after = page.Next; after == "" {
			return all, nil
		}
	}
}

// ownerKey is where the agency of a person, key, device or portal is found by
// its id. An id never changes its agency.
func ownerKey(id string) string { return store.Key("owner", nobody, id) }

// find returns the record of kind with this id, whichever agency owns it.
func find[T any](ctx context.Context, d *Directory, kind, id string) (T, string, int64, error) {
	var zero T
	agency, _, err := get[string](ctx, d.store, ownerKey(id))
	if err != nil {
		return zero, "", 0, err
	}
	key := store.Key(kind, agency, id)
	value, revision, err := get[T](ctx, d.store, key)
	return value, key, revision, err
}

// update changes one record by compare and set, again when it loses a race.
func update[T any](ctx context.Context, d *Directory, kind, id string, change func(*T) error, tell func(T) Change) (T, error) {
	var zero T
	for range attempts {
		value, key, revision, err := find[T](ctx, d, kind, id)
		if err != nil {
			return zero, err
		}
		if err := change(&value); err != nil {
			return zero, err
		}
		op, err := put(key, value)
		if err != nil {
			return zero, err
		}
		condition := []store.Compare{{Key: key, Revision: revision}}
		if tell == nil {
			_, err = d.store.Txn(ctx, condition, []store.Op{op})
		} else {
			err = d.commit(ctx, condition, []store.Op{op}, tell(value))
		}
		if errors.Is(err, store.ErrConflict) {
			continue
		}
		if err != nil {
			return zero, fmt.Errorf("directory: %w", err)
		}
		return value, nil
	}
	return zero, fmt.Errorf("directory: %d attempts lost: %w", attempts, store.ErrConflict)
}

func hexKey(kind string, digest []byte) string {
	return store.Key(kind, nobody, hex.EncodeToString(digest))
}
