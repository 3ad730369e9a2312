package inventory

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Errors of Read.
var (
	// ErrNone says that no package manager that is known here was found.
	ErrNone = errors.New("inventory: no package manager found")
	// ErrMalformed says that a package manager's data could not be understood.
	ErrMalformed = errors.New("inventory: malformed")
	// ErrTooLarge says that there is more software than an inventory may carry.
	ErrTooLarge = errors.New("inventory: too large")
)

// maxSoftware bounds an inventory.
const maxSoftware = 20000

// Machine is what the inventory is read from.
type Machine struct {
	// Files is the file system from its root, os.DirFS("/") outside of tests.
	Files fs.FS
	// Run runs a fixed program of the system and returns what it printed on
	// standard output. It is not asked for anything that a client chose.
	Run func(ctx context.Context, name string, args ...string) ([]byte, error)
}

// source is one list of software on this kind of system.
type source struct {
	name string
	// stamp changes when the list may have; empty means that there is no such
	// list on this machine.
	stamp func(ctx context.Context, m Machine) string
	read  func(ctx context.Context, m Machine) ([]wire.Software, error)
}

// Document is an inventory as it is sent.
type Document struct {
	// Raw is the JSON of a wire.Inventory, Digest its SHA-256.
	Raw    []byte
	Digest [sha256.Size]byte
	Count  int
}

// Reader reads the inventory and keeps the last one. It is safe for concurrent
// use.
type Reader struct {
	machine Machine
	sources []source
	system  func(ctx context.Context, m Machine) (id, release string, err error)

	mu    sync.Mutex
	stamp string
	last  Document
}

// New returns a Reader for m.
func New(m Machine) *Reader { return &Reader{machine: m, sources: sources(), system: system} }

// Read returns the inventory as it is now.
func (r *Reader) Read(ctx context.Context) (Document, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var stamp string
	var found []source
	for _, s := range r.sources {
		if part := s.stamp(ctx, r.machine); part != "" {
			stamp += s.name + "=" + part + ";"
			found = append(found, s)
		}
	}
	if len(found) == 0 {
		return Document{}, ErrNone
	}
	if stamp == r.stamp {
		return r.last, nil
	}
	var all []wire.Software
	for _, s := range found {
		some, err := s.read(ctx, r.machine)
		if err != nil {
			return Document{}, fmt.Errorf("%s: %w", s.name, err)
		}
		all = append(all, some...)
	}
	id, release, err := r.system(ctx, r.machine)
	if err != nil {
		return Document{}, err
	}
	document, err := marshal(wire.Inventory{System: id, Release: release, Software: all})
	if err != nil {
		return Document{}, err
	}
	r.stamp, r.last = stamp, document
	return document, nil
}

func marshal(in wire.Inventory) (Document, error) {
	slices.SortFunc(in.Software, func(a, b wire.Software) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Arch, b.Arch), cmp.Compare(a.Version, b.Version))
	})
	in.Software = slices.Compact(in.Software)
	if len(in.Software) > maxSoftware {
		return Document{}, fmt.Errorf("%w: %d entries", ErrTooLarge, len(in.Software))
	}
	raw, err := json.Marshal(in)
	if err != nil {
		return Document{}, fmt.Errorf("inventory: %w", err)
	}
	if len(raw) > wire.MaxInventoryBytes {
		return Document{}, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(raw))
	}
	return Document{Raw: raw, Digest: sha256.Sum256(raw), Count: len(in.Software)}, nil
}
