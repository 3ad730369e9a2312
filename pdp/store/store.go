// Package store defines where the PDP keeps its state: one interface, its
// errors, and the shape of its keys. The implementations lie in folders of
// their own (bolt) and pass one suite (storetest).
//
// Guarantees: a write that was acknowledged survives kill -9 and power loss;
// a Txn happens whole or not at all; Take gives a record to one caller only.
// Expiry is a time inside the value: the store knows no clock.
package store

import (
	"context"
	"errors"
	"strings"
)

// Errors of a Store. ErrIndeterminate says that a write may or may not have
// happened: the caller must read before it tries again.
var (
	ErrConflict      = errors.New("store: a comparison failed")
	ErrNotFound      = errors.New("store: not found")
	ErrCompacted     = errors.New("store: revision compacted, scan again")
	ErrUnavailable   = errors.New("store: unavailable")
	ErrIndeterminate = errors.New("store: outcome unknown")
	// ErrInvalid is a programming error: a key, value or Txn out of bounds.
	ErrInvalid = errors.New("store: outside the bounds")
)

// Consistency says how fresh a read must be.
type Consistency uint8

// Consistencies. The zero value is the strict one.
const (
	Linearizable Consistency = iota
	Local
)

// Record is one key with its value and the revision that last wrote it.
// Revisions of a store start at 1 and grow with every write.
type Record struct {
	Key      string
	Value    []byte
	Revision int64
}

// Page is a part of a Scan, in key order, all at one revision.
type Page struct {
	Records  []Record
	Revision int64
	// Next is where to go on (as Scan's after), empty at the end.
	Next string
}

// Compare is a condition of a Txn: the key's last revision, 0 for absent.
type Compare struct {
	Key      string
	Revision int64
}

// Op is one write of a Txn: a put, or a delete where Delete is set.
type Op struct {
	Key    string
	Value  []byte
	Delete bool
}

// Event is one change that a Watch saw. Deleted events carry no value.
type Event struct {
	Record
	Deleted bool
}

// Batch is what a Watch delivers: all events of one revision under the
// prefix, or progress (no events) up to Revision.
type Batch struct {
	Revision int64
	Events   []Event
}

// Store keeps the PDP's state. All values that it gives out are shared and
// must not be changed.
//
// When ctx ends before a write has begun, nothing happens and ctx's error is
// returned; afterwards the answer is ErrIndeterminate, which then wraps ctx's
// error. ErrUnavailable means that nothing was written.
type Store interface {
	// Get returns one record, or ErrNotFound. It may show a write an instant
	// before that write's caller is told that it is safe on the disk.
	Get(ctx context.Context, key string, how Consistency) (Record, error)
	// Scan returns up to limit records whose keys start with prefix and come
	// after the key after, at one revision. The pages of a longer scan have a
	// revision each: to follow it, watch from the first page's.
	Scan(ctx context.Context, prefix, after string, limit int) (Page, error)
	// Txn applies all ops if every comparison holds, else ErrConflict. It
	// returns the revision it wrote, or the present one if nothing changed.
	Txn(ctx context.Context, conditions []Compare, ops []Op) (int64, error)
	// Take returns a record and deletes it, once: of several callers one gets
	// it, the others ErrNotFound.
	Take(ctx context.Context, key string) (Record, error)
	// Watch delivers every change under prefix after revision, in order, with
	// progress at once, whenever it has caught up, and at least every second.
	// Revision 0 starts at the present. The channel closes when ctx ends, when
	// the store closes, and when the reader is so slow that changes it has not
	// seen are no longer kept: then watch again from the last Batch's
	// revision. ErrCompacted asks for a new Scan.
	Watch(ctx context.Context, prefix string, revision int64) (<-chan Batch, error)
	// Close releases the store; later calls return ErrUnavailable.
	Close() error
}

// Key returns /v1/<kind>/<agency>/<id>. The parts are ids or digests that the
// PDP made itself, so a slash in one is a programming error and panics.
func Key(kind, agency, id string) string {
	for _, part := range [...]string{kind, agency, id} {
		if part == "" || strings.Contains(part, "/") {
			panic("store: malformed key part " + part)
		}
	}
	return "/v1/" + kind + "/" + agency + "/" + id
}

// Prefix returns the prefix of all keys of a kind, of one agency where agency
// is not empty.
func Prefix(kind, agency string) string {
	if agency == "" {
		return "/v1/" + kind + "/"
	}
	return "/v1/" + kind + "/" + agency + "/"
}
