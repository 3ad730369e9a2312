package bolt

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync/atomic"

	"go.etcd.io/bbolt"

	"github.com/menshen-zt/menshen/pdp/store"
)

const (
	maxGroup      = 512     // writes that share one transaction
	maxGroupBytes = 8 << 20 // and their values
)

// Stages of a write. Whoever moves it away from waiting owns it: the committer
// that begins it, or the caller that gives it up.
const (
	waiting uint32 = iota
	begun
	abandoned
)

type outcome struct {
	record   store.Record // of a take
	revision int64
	err      error
}

// write is one Txn or Take on its way to the disk.
type write struct {
	take       string // the key of a Take, empty for a Txn
	conditions []store.Compare
	ops        []store.Op // values are blanks, owned by the write
	bytes      int
	stage      atomic.Uint32
	outcome    outcome
	done       chan struct{}
}

// Txn implements store.Store.
func (s *Store) Txn(ctx context.Context, conditions []store.Compare, ops []store.Op) (int64, error) {
	if err := store.CheckTxn(conditions, ops); err != nil {
		return 0, err
	}
	w := &write{
		conditions: append([]store.Compare(nil), conditions...),
		ops:        make([]store.Op, len(ops)),
		done:       make(chan struct{}),
	}
	for i, op := range ops {
		w.ops[i] = store.Op{Key: op.Key, Delete: op.Delete}
		if !op.Delete {
			w.ops[i].Value = blank(op.Value)
			w.bytes += len(op.Value)
		}
	}
	got := s.submit(ctx, w)
	return got.revision, got.err
}

// Take implements store.Store.
func (s *Store) Take(ctx context.Context, key string) (store.Record, error) {
	if err := store.CheckKey(key); err != nil {
		return store.Record{}, err
	}
	got := s.submit(ctx, &write{take: key, done: make(chan struct{})})
	return got.record, got.err
}

func (s *Store) submit(ctx context.Context, w *write) outcome {
	if err := ctx.Err(); err != nil {
		return outcome{err: err}
	}
	if err := s.usable(); err != nil {
		return outcome{err: err}
	}
	select {
	case s.queue <- w:
	case <-ctx.Done():
		return outcome{err: ctx.Err()}
	case <-s.closing:
		return outcome{err: s.usable()}
	}
	select {
	case <-w.done:
		return w.outcome
	case <-s.finished:
		return w.afterClose()
	case <-ctx.Done():
		if w.stage.CompareAndSwap(waiting, abandoned) {
			return outcome{err: ctx.Err()}
		}
		return outcome{err: fmt.Errorf("%w: %w", store.ErrIndeterminate, ctx.Err())}
	}
}

// afterClose tells a write that the committer ended: either it was answered
// just before, or it lay in the queue and was never begun.
func (w *write) afterClose() outcome {
	select {
	case <-w.done:
		return w.outcome
	default:
		return outcome{err: fmt.Errorf("%w: closed", store.ErrUnavailable)}
	}
}

// run is the committer: the only goroutine that writes.
func (s *Store) run() {
	defer close(s.finished)
	debug.SetPanicOnFault(true) // see view
	group := make([]*write, 0, maxGroup)
	for {
		select {
		case <-s.closing:
			return
		case first := <-s.queue:
			group = s.gather(append(group[:0], first))
			s.settle(group)
			clear(group)
		}
	}
}

// gather adds what waits already. Callers that were answered a moment ago and
// are about to come back get one chance to join, which costs nobody a wait.
func (s *Store) gather(group []*write) []*write {
	size, yielded := group[0].bytes, false
	for len(group) < maxGroup && size < maxGroupBytes {
		select {
		case w := <-s.queue:
			group = append(group, w)
			size += w.bytes
			continue
		default:
		}
		if yielded {
			break
		}
		yielded = true
		runtime.Gosched()
	}
	return group
}

// settle brings a group to the disk and answers each of its members.
func (s *Store) settle(group []*write) {
	began := group[:0]
	for _, w := range group {
		if w.stage.CompareAndSwap(waiting, begun) {
			began = append(began, w)
		}
	}
	if err := s.usable(); err != nil {
		answer(began, err)
		return
	}
	changes, err := s.transact(began)
	if err == nil {
		s.history.add(changes)
	}
	answer(began, err)
}

func answer(group []*write, err error) {
	for _, w := range group {
		if err != nil {
			w.outcome = outcome{err: err}
		}
		close(w.done)
	}
}

// transact applies a group in one bbolt transaction. Its error is the whole
// group's: even a conflict was found in a state that then did not come about.
func (s *Store) transact(group []*write) (changes []store.Batch, err error) {
	var tx *bbolt.Tx
	defer func() {
		if fault := recover(); fault != nil {
			s.unlock(tx)
			err = fmt.Errorf("%w: %w", store.ErrIndeterminate, s.fail(fmt.Errorf("bolt: writing faulted: %v", fault)))
		}
	}()
	tx, err = s.db.Begin(true)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	b := tx.Bucket([]byte(bucket))
	before := sequence(b)
	changes, err = applyAll(b, group)
	if err != nil || len(changes) == 0 {
		return nil, rollback(tx, err)
	}
	if err := s.commit(tx); err != nil {
		return nil, s.afterCommitError(before, err)
	}
	return changes, nil
}

func rollback(tx *bbolt.Tx, cause error) error {
	if err := tx.Rollback(); err != nil || cause != nil {
		return fmt.Errorf("%w: %w", store.ErrUnavailable, firstError(cause, err))
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// unlock lets go of bbolt's writer lock after a fault, so that Close can end.
func (s *Store) unlock(tx *bbolt.Tx) {
	defer func() { _ = recover() }() // the store is stopped already
	if tx != nil {
		_ = tx.Rollback()
	}
}

// afterCommitError finds out what a failed commit left behind. bbolt writes the
// meta page last and syncs it: if the old state is still the visible one, the
// meta page was not written and nothing has happened. Otherwise only the last
// fsync failed, and no later one can tell whether it reached the disk.
func (s *Store) afterCommitError(before int64, cause error) error {
	visible := int64(-1)
	err := s.view(func(b *bbolt.Bucket) error {
		visible = sequence(b)
		return nil
	})
	if err == nil && visible == before {
		return fmt.Errorf("%w: %w", store.ErrUnavailable, cause)
	}
	return fmt.Errorf("%w: %w", store.ErrIndeterminate, s.fail(fmt.Errorf("bolt: committing: %w", cause)))
}
