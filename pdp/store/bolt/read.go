package bolt

import (
	"bytes"
	"context"
	"fmt"
	"runtime/debug"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/menshen-zt/menshen/pdp/store"
)

// maxPageBytes ends a Page early: a page of many large values is cut in two.
const maxPageBytes = 8 << 20

// Get implements store.Store. In one process every read is linearizable.
func (s *Store) Get(ctx context.Context, key string, _ store.Consistency) (store.Record, error) {
	if err := ctx.Err(); err != nil {
		return store.Record{}, err
	}
	if err := store.CheckKey(key); err != nil {
		return store.Record{}, err
	}
	var found store.Record
	err := s.view(func(b *bbolt.Bucket) error {
		raw := b.Get([]byte(key))
		if raw == nil {
			return store.ErrNotFound
		}
		var err error
		found, err = copied(key, raw)
		return err
	})
	return found, err
}

// Scan implements store.Store.
func (s *Store) Scan(ctx context.Context, prefix, after string, limit int) (store.Page, error) {
	if limit <= 0 || limit > store.MaxPageRecords {
		limit = store.MaxPageRecords
	}
	var page store.Page
	err := s.view(func(b *bbolt.Bucket) error {
		page = store.Page{Revision: sequence(b)}
		size := 0
		cursor := b.Cursor()
		for key, raw := seekAfter(cursor, prefix, after); bytes.HasPrefix(key, []byte(prefix)) && key != nil; key, raw = cursor.Next() {
			if err := ctx.Err(); err != nil {
				return err
			}
			if n := len(page.Records); n == limit || n > 0 && size+len(raw) > maxPageBytes {
				page.Next = page.Records[n-1].Key
				return nil
			}
			one, err := copied(string(key), raw)
			if err != nil {
				return err
			}
			size += len(raw)
			page.Records = append(page.Records, one)
		}
		return nil
	})
	if err != nil {
		return store.Page{}, err
	}
	return page, nil
}

// seekAfter moves to the first key that starts with prefix, or comes after it,
// and is greater than after.
func seekAfter(cursor *bbolt.Cursor, prefix, after string) (key, raw []byte) {
	key, raw = cursor.Seek([]byte(max(prefix, after)))
	if key != nil && after != "" && strings.Compare(string(key), after) <= 0 {
		key, raw = cursor.Next()
	}
	return key, raw
}

// copied reads a record out of the mapped file.
func copied(key string, raw []byte) (store.Record, error) {
	found, err := record(key, raw)
	if err != nil {
		return store.Record{}, fmt.Errorf("%w: %s: %w", store.ErrUnavailable, key, err)
	}
	found.Value = bytes.Clone(found.Value)
	return found, nil
}

func sequence(b *bbolt.Bucket) int64 {
	return int64(b.Sequence()) // #nosec G115 -- the checks at Open refuse larger ones
}

// view runs fn in a read transaction. A page that cannot be read, because the
// disk failed or the file was cut, faults inside the mapping: that is caught
// here and stops the store instead of the process.
func (s *Store) view(fn func(*bbolt.Bucket) error) (err error) {
	if err := s.usable(); err != nil {
		return err
	}
	before := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(before)
		if fault := recover(); fault != nil {
			err = fmt.Errorf("%w: %w", store.ErrUnavailable, s.fail(fmt.Errorf("bolt: reading faulted: %v", fault)))
		}
	}()
	tx, err := s.db.Begin(false)
	if err != nil {
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	defer func() { _ = tx.Rollback() }() // a read transaction's has no error but "closed"
	return fn(tx.Bucket([]byte(bucket)))
}
