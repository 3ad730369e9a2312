package inventory

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/menshen-zt/menshen/internal/deflate"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/strictjson"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// kind is the store's kind of inventories, one a device.
const kind = "inventory"

const schema = 1

// Bounds of an inventory's contents.
const (
	maxSoftware = 20000
	maxText     = 512
)

// kept is what the store holds.
type kept struct {
	V      int       `json:"v"`
	At     time.Time `json:"at"`
	Digest []byte    `json:"digest"`
	Packed []byte    `json:"packed"` // deflated bytes as they arrived
}

// Refusal is an inventory that was not taken.
type Refusal struct{ cause error }

func (r *Refusal) Error() string { return "inventory: refused: " + r.cause.Error() }

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.cause }

// Reason returns what the agent is told.
func (r *Refusal) Reason() wire.Reason { return reason.New(reason.InventoryMalformed) }

// Config is what a Library needs; every field but Feed is required.
type Config struct {
	Store  store.Store
	Names  *Names
	Clock  func() time.Time
	Logger *slog.Logger
	// Feed is the vulnerability feed's file; empty where there is none.
	Feed string
}

// Library keeps the devices' inventories. It is safe for concurrent use.
type Library struct {
	Config

	mu       sync.Mutex
	feed     *Feed
	modified time.Time
	known    map[string]wire.Vulnerabilities // by device id
	digests  map[string][sha256.Size]byte    // of the last inventories, by device id
}

// New returns a Library. A feed that is configured must be readable at start;
// later a wrong one is told of and the last good one stays, and grows old.
func New(c Config) (*Library, error) {
	if c.Store == nil || c.Names == nil || c.Clock == nil || c.Logger == nil {
		return nil, errors.New("inventory: incomplete configuration")
	}
	l := &Library{Config: c, known: map[string]wire.Vulnerabilities{}, digests: map[string][sha256.Size]byte{}}
	return l, l.Reload()
}

// Reload reads the feed again if its file changed.
func (l *Library) Reload() error {
	if l.Feed == "" {
		return nil
	}
	info, err := os.Stat(l.Feed)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFeed, err)
	}
	l.mu.Lock()
	same := l.feed != nil && info.ModTime().Equal(l.modified)
	l.mu.Unlock()
	if same {
		return nil
	}
	feed, err := LoadFeed(l.Feed)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.feed, l.modified, l.known = feed, info.ModTime(), map[string]wire.Vulnerabilities{}
	l.Logger.Info("vulnerability feed loaded", "as_of", feed.AsOf, "vulnerabilities", feed.Entries)
	return nil
}

// reloadEvery is how often the feed's file is looked at.
const reloadEvery = time.Minute

// Run reads the feed again whenever its file changes, until ctx ends.
func (l *Library) Run(ctx context.Context) {
	tick := time.NewTicker(reloadEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := l.Reload(); err != nil {
				l.Logger.Error("the vulnerability feed cannot be used; the last one stays", "error", err)
			}
		}
	}
}

// Keep takes a device's inventory, exactly the bytes that it sent, in place of
// the one before. Its error has a reason where the inventory was refused.
func (l *Library) Keep(ctx context.Context, dev wire.Device, raw []byte) ([]byte, error) {
	if _, err := decode(raw); err != nil {
		return nil, &Refusal{err}
	}
	digest := sha256.Sum256(raw)
	packed, err := deflate.Pack(raw)
	if err != nil {
		return nil, fmt.Errorf("inventory: %w", err)
	}
	value, err := json.Marshal(kept{V: schema, At: l.Clock().UTC(), Digest: digest[:], Packed: packed})
	if err != nil {
		return nil, fmt.Errorf("inventory: %w", err)
	}
	if len(value) > store.MaxValueBytes {
		return nil, &Refusal{errors.New("too large even when packed")}
	}
	if _, err := l.Store.Txn(ctx, nil, []store.Op{{Key: store.Key(kind, dev.Agency, dev.ID), Value: value}}); err != nil {
		return nil, fmt.Errorf("inventory: keeping: %w", err)
	}
	l.mu.Lock()
	delete(l.known, dev.ID)
	l.digests[dev.ID] = digest
	l.mu.Unlock()
	return digest[:], nil
}

// Software returns a device's last inventory, its digest and when it came. An
// error wraps store.ErrNotFound where there is none.
func (l *Library) Software(ctx context.Context, dev wire.Device) (wire.Inventory, []byte, time.Time, error) {
	record, err := l.Store.Get(ctx, store.Key(kind, dev.Agency, dev.ID), store.Local)
	if err != nil {
		return wire.Inventory{}, nil, time.Time{}, fmt.Errorf("inventory: %w", err)
	}
	return unpack(record)
}

// Digest returns SHA-256 over a device's last inventory, nil if there is none.
func (l *Library) Digest(ctx context.Context, dev wire.Device) ([]byte, error) {
	l.mu.Lock()
	digest, known := l.digests[dev.ID]
	l.mu.Unlock()
	if known {
		return digest[:], nil
	}
	_, kept, _, err := l.Software(ctx, dev)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil || len(kept) != sha256.Size {
		return nil, fmt.Errorf("inventory: a digest of %d bytes: %w", len(kept), errors.Join(err))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, came := l.digests[dev.ID]; !came { // else a newer one came meanwhile
		l.digests[dev.ID] = [sha256.Size]byte(kept)
	}
	return kept, nil
}

// Vulnerabilities returns what the feed knows of a device's last inventory; nil
// where there is no feed or no inventory. It is shared: read only.
func (l *Library) Vulnerabilities(ctx context.Context, dev wire.Device) (*wire.Vulnerabilities, error) {
	l.mu.Lock()
	feed := l.feed
	found, known := l.known[dev.ID]
	l.mu.Unlock()
	if feed == nil {
		return nil, nil
	}
	if known {
		return &found, nil
	}
	in, digest, _, err := l.Software(ctx, dev)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	found = join(feed, l.Names, in, digest)
	l.mu.Lock()
	defer l.mu.Unlock()
	newest, came := l.digests[dev.ID]
	if l.feed == feed && (!came || bytes.Equal(newest[:], digest)) { // else a newer feed or list came meanwhile
		l.known[dev.ID] = found
	}
	return &found, nil
}

// Forget drops a retired device's inventory.
func (l *Library) Forget(ctx context.Context, dev wire.Device) error {
	l.mu.Lock()
	delete(l.known, dev.ID)
	delete(l.digests, dev.ID)
	l.mu.Unlock()
	_, err := l.Store.Txn(ctx, nil, []store.Op{{Key: store.Key(kind, dev.Agency, dev.ID), Delete: true}})
	if err != nil {
		return fmt.Errorf("inventory: %w", err)
	}
	return nil
}

// Status says what the feed is; false where there is none.
func (l *Library) Status() (asOf time.Time, vulnerabilities int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.feed == nil {
		return time.Time{}, 0, false
	}
	return l.feed.AsOf, l.feed.Entries, true
}

func decode(raw []byte) (wire.Inventory, error) {
	var in wire.Inventory
	if len(raw) > wire.MaxInventoryBytes {
		return in, fmt.Errorf("%d bytes", len(raw))
	}
	if err := strictjson.Unmarshal(raw, &in); err != nil {
		return in, err
	}
	if in.System == "" || len(in.System) > maxText || len(in.Release) > maxText {
		return in, errors.New("no operating system")
	}
	if len(in.Software) > maxSoftware {
		return in, fmt.Errorf("%d entries", len(in.Software))
	}
	for i, s := range in.Software {
		switch s.Source {
		case wire.SoftwareDpkg, wire.SoftwareRPM, wire.SoftwareRegistry, wire.SoftwareApplications:
		default:
			return in, fmt.Errorf("entry %d has an unknown source", i)
		}
		if s.Name == "" || len(s.Name)+len(s.Version)+len(s.Vendor)+len(s.Origin)+len(s.Arch) > maxText {
			return in, fmt.Errorf("entry %d has no name, or is too long", i)
		}
	}
	return in, nil
}

func unpack(record store.Record) (wire.Inventory, []byte, time.Time, error) {
	damaged := func(err error) (wire.Inventory, []byte, time.Time, error) {
		return wire.Inventory{}, nil, time.Time{}, fmt.Errorf("inventory: reading %s: %w", record.Key, err)
	}
	var k kept
	if err := json.Unmarshal(record.Value, &k); err != nil || k.V != schema {
		return damaged(fmt.Errorf("schema version %d: %w", k.V, errors.Join(err)))
	}
	raw, err := deflate.Unpack(k.Packed, wire.MaxInventoryBytes)
	if err != nil {
		return damaged(err)
	}
	in, err := decode(raw)
	if err != nil {
		return damaged(err)
	}
	return in, k.Digest, k.At, nil
}
