// Package applications keeps what portals' applications bring to be judged by:
// their own Cedar schema, entities and policies, as files.
//
// Guarantees: what cannot be loaded is not kept. A change is felt by the next
// question: readers see the old set or the new one, never a part. A set that
// was kept and can be loaded no more (another program, a damaged record) stays
// known as broken, so that nobody takes its portal for one without rules.
package applications

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/menshen-zt/menshen/internal/deflate"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

const (
	kind   = "application"
	schema = 1
	// maxRaw bounds the files of one application as JSON, maxPacked what of
	// them fits one record of the store.
	maxRaw    = 8 << 20
	maxPacked = 700 << 10
)

// InputError says why an application is not kept.
type InputError struct{ why wire.Reason }

func (e *InputError) Error() string { return "applications: refused: " + e.why.Code }

// Reason returns what the administrator is told.
func (e *InputError) Reason() wire.Reason { return e.why }

func refused(err error) error {
	return &InputError{reason.New(reason.CfgApplication, "detail", err.Error())}
}

// Config is what a Keeper of loaded applications T needs.
type Config[T any] struct {
	Store store.Store
	// Load reads an application's files, by name; its error says what is wrong
	// with them.
	Load func(files map[string][]byte) (T, error)
	// Keep is how long files are kept after others took their place, so that
	// what was answered by them can be answered again; not less than a minute.
	Keep   time.Duration
	Clock  func() time.Time
	Logger *slog.Logger
}

// Keeper is safe for concurrent use.
type Keeper[T any] struct {
	config Config[T]
	// writing lets one change be made at a time, mu guards what readers see.
	writing sync.Mutex
	mu      sync.RWMutex
	portals map[string]*Kept[T]
}

// Kept is one portal's application. It does not change.
type Kept[T any] struct {
	Info
	// Broken says that the files can be loaded no more; then Loaded is nothing.
	Broken bool
	Loaded T
	files  map[string][]byte
}

// Info is what is known of a kept application beside its files.
type Info struct {
	// Number counts the portal's applications, from 1.
	Number int       `json:"number"`
	SetAt  time.Time `json:"set_at"`
	SetBy  string    `json:"set_by"`
}

// record is an application in the store. One that was removed keeps its
// number, so that the next is not taken for it.
type record struct {
	V      int    `json:"v"`
	Portal string `json:"portal"`
	Info
	Removed bool   `json:"removed,omitempty"`
	Packed  []byte `json:"packed,omitempty"`
}

// New returns a Keeper with what the store holds.
func New[T any](ctx context.Context, c Config[T]) (*Keeper[T], error) {
	if c.Store == nil || c.Load == nil || c.Keep < time.Minute || c.Clock == nil || c.Logger == nil {
		return nil, errors.New("applications: a member of the configuration is missing")
	}
	k := &Keeper[T]{config: c, portals: map[string]*Kept[T]{}}
	for after := ""; ; {
		page, err := c.Store.Scan(ctx, store.Prefix(kind, ""), after, 20)
		if err != nil {
			return nil, fmt.Errorf("applications: loading: %w", err)
		}
		for _, stored := range page.Records {
			if err := k.read(stored); err != nil {
				return nil, err
			}
		}
		if after = page.Next; after == "" {
			return k, nil
		}
	}
}

func (k *Keeper[T]) read(stored store.Record) error {
	var r record
	if err := json.Unmarshal(stored.Value, &r); err != nil || r.V != schema || r.Portal == "" {
		return fmt.Errorf("applications: unreadable record %s, schema version %d: %w", stored.Key, r.V, err)
	}
	if r.Removed {
		return nil
	}
	kept := &Kept[T]{Info: r.Info}
	files, err := unpack(r.Packed)
	if err == nil {
		kept.files = files
		kept.Loaded, err = k.config.Load(files)
	}
	if err != nil {
		k.config.Logger.Error("an application's rules cannot be loaded: its questions are refused", "portal", r.Portal, "number", r.Number, "error", err)
		kept.Broken = true
	}
	k.portals[r.Portal] = kept
	return nil
}

// Of returns a portal's application, nil if it has none.
func (k *Keeper[T]) Of(portalID string) *Kept[T] {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.portals[portalID]
}

// Files returns a portal's application as it was set; of a damaged record no
// files. Without one the error is store.ErrNotFound.
func (k *Keeper[T]) Files(portalID string) (*Kept[T], map[string][]byte, error) {
	kept := k.Of(portalID)
	if kept == nil {
		return nil, nil, fmt.Errorf("applications: %w", store.ErrNotFound)
	}
	return kept, kept.files, nil
}

// Validate loads files and keeps nothing.
func (k *Keeper[T]) Validate(files map[string][]byte) (T, error) {
	loaded, err := k.config.Load(files)
	if err != nil {
		return loaded, refused(err)
	}
	return loaded, nil
}

// Set lets files be the portal's application from now on; by is who asked. Of
// several callers at once one wins and the others get store.ErrConflict.
func (k *Keeper[T]) Set(ctx context.Context, portal wire.Portal, files map[string][]byte, by string) (*Kept[T], error) {
	loaded, err := k.Validate(files)
	if err != nil {
		return nil, err
	}
	packed, err := pack(files)
	if err != nil {
		return nil, err
	}
	kept := &Kept[T]{Loaded: loaded, files: files, Info: Info{SetAt: k.config.Clock().UTC(), SetBy: by}}
	err = k.write(ctx, portal, &record{Info: kept.Info, Packed: packed}, func(number int) {
		kept.Number = number
		k.portals[portal.ID] = kept
	})
	if err != nil {
		return nil, err
	}
	return kept, nil
}

// Remove takes a portal's application away: it has no rules of its own then.
// Without one the error is store.ErrNotFound.
func (k *Keeper[T]) Remove(ctx context.Context, portal wire.Portal) error {
	if k.Of(portal.ID) == nil {
		return fmt.Errorf("applications: %w", store.ErrNotFound)
	}
	gone := &record{Removed: true, Info: Info{SetAt: k.config.Clock().UTC()}}
	return k.write(ctx, portal, gone, func(int) { delete(k.portals, portal.ID) })
}

// write stores r as the portal's next and lets it take effect.
func (k *Keeper[T]) write(ctx context.Context, portal wire.Portal, r *record, effect func(number int)) error {
	k.writing.Lock()
	defer k.writing.Unlock()
	key := store.Key(kind, portal.Agency, portal.ID)
	var last record
	stored, err := k.config.Store.Get(ctx, key, store.Linearizable)
	switch {
	case errors.Is(err, store.ErrNotFound):
	case err != nil:
		return fmt.Errorf("applications: reading: %w", err)
	default:
		if err := json.Unmarshal(stored.Value, &last); err != nil {
			return fmt.Errorf("applications: unreadable record %s: %w", key, err)
		}
	}
	if err := k.keepPast(ctx, portal, &last); err != nil {
		return err
	}
	r.V, r.Portal, r.Number = schema, portal.ID, last.Number+1
	value, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("applications: %w", err)
	}
	if _, err := k.config.Store.Txn(ctx, []store.Compare{{Key: key, Revision: stored.Revision}}, []store.Op{{Key: key, Value: value}}); err != nil {
		return fmt.Errorf("applications: storing: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	effect(r.Number)
	return nil
}

func pack(files map[string][]byte) ([]byte, error) {
	raw, err := json.Marshal(files)
	if err != nil {
		return nil, fmt.Errorf("applications: %w", err)
	}
	packed, err := deflate.Pack(raw)
	if err != nil {
		return nil, err
	}
	if len(raw) > maxRaw || len(packed) > maxPacked {
		return nil, &InputError{reason.New(reason.CfgApplicationLarge)}
	}
	return packed, nil
}

func unpack(packed []byte) (files map[string][]byte, err error) {
	raw, err := deflate.Unpack(packed, maxRaw)
	if err != nil {
		return nil, err
	}
	err = json.Unmarshal(raw, &files)
	return files, err
}
