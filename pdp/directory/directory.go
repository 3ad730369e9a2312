// Package directory keeps what the PDP knows by name: agencies, people and
// their security keys, devices, and portals.
//
// Guarantees: every name, key and secret that must be unique is an index
// record written in the same transaction as what it names, so two callers
// cannot both win. A record lies under its agency's prefix, and a lookup that
// takes an agency reads under that prefix only: it cannot return another
// agency's record (design: invariant 5). Nothing is ever deleted: people are
// disabled, keys revoked, devices retired, so that an id in the audit log
// always resolves. Secrets are stored as SHA-256 digests.
package directory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// Errors of a Directory. They wrap the store's, so that packages that may not
// import this one still tell them apart by errors.Is.
var (
	// ErrNotFound wraps store.ErrNotFound.
	ErrNotFound = fmt.Errorf("directory: %w", store.ErrNotFound)
	// ErrExists wraps store.ErrConflict: the name, key or secret is taken.
	ErrExists = fmt.Errorf("directory: exists already: %w", store.ErrConflict)
	// ErrState wraps store.ErrConflict: the record is not in a state that
	// allows the change, such as a retired device that is to be approved.
	ErrState = fmt.Errorf("directory: not in a state for this change: %w", store.ErrConflict)
	// ErrInvalid is wrapped by every *InputError.
	ErrInvalid = errors.New("directory: invalid value")
	// ErrSignCount is returned when a security key's signature counter did
	// not grow: the key may have been cloned (WebAuthn 2, 6.1.1).
	ErrSignCount = errors.New("directory: signature counter did not grow")
)

// InputError says which field of a value was refused, and why.
type InputError struct {
	Field string
	Why   wire.Reason
}

func (e *InputError) Error() string {
	return "directory: " + e.Field + ": " + reason.Of(reason.English, e.Why).What
}

// Reason returns what to tell the person who typed the value.
func (e *InputError) Reason() wire.Reason { return e.Why }

// Unwrap returns ErrInvalid.
func (e *InputError) Unwrap() error { return ErrInvalid }

// Kinds of a Change.
const (
	KindAgency = "agency"
	KindPerson = "person"
	KindKey    = "security-key"
	KindDevice = "device"
	KindPortal = "portal"
)

// Change says that a record was made or changed. PersonID is set for a
// security key.
type Change struct {
	Kind, Agency, ID string
	PersonID         string
}

// Directory is safe for concurrent use.
type Directory struct {
	store  store.Store
	clock  func() time.Time
	random io.Reader

	mu          sync.RWMutex
	subscribers []func(Change)
}

// New returns a Directory over s. Random must be a cryptographic source.
func New(s store.Store, clock func() time.Time, random io.Reader) *Directory {
	return &Directory{store: s, clock: clock, random: random}
}

// Subscribe has f called after each change, in the goroutine that made it: f
// must not block. A change whose outcome the store does not know is told too.
func (d *Directory) Subscribe(f func(Change)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.subscribers = append(d.subscribers, f)
}

func (d *Directory) tell(c Change) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, f := range d.subscribers {
		f(c)
	}
}

// commit applies one transaction and tells of c if it may have happened.
func (d *Directory) commit(ctx context.Context, conditions []store.Compare, ops []store.Op, c Change) error {
	_, err := d.store.Txn(ctx, conditions, ops)
	if err == nil || errors.Is(err, store.ErrIndeterminate) {
		d.tell(c)
	}
	return err
}

// create commits a new record; a comparison that fails means that one of its
// unique names is taken.
func (d *Directory) create(ctx context.Context, conditions []store.Compare, ops []store.Op, c Change) error {
	err := d.commit(ctx, conditions, ops, c)
	if errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("%w: %s", ErrExists, c.Kind)
	}
	return err
}
