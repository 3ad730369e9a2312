package reference

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/menshen-zt/menshen/internal/strictjson"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// Devices lists an agency's devices, retired ones too.
type Devices interface {
	Devices(ctx context.Context, agency string) ([]wire.Device, error)
}

// Config is what a Keeper needs; every field is required.
type Config struct {
	Store   store.Store
	Devices Devices
	// Appraise is the Verifier's appraisal of a boot. It must be pure.
	Appraise func(wire.Boot, *wire.ReferenceSet) wire.BootAppraisal
	// Wants reports whether the appraisal policy asks for a known value at a
	// place: what is measured there is learned.
	Wants func(pcr int, kind wire.MeasurementKind) bool
	// Approval signs what was learned and approved (Ed25519).
	Approval crypto.Signer
	// Approvers is how many administrators must approve a draft: 1 or 2.
	Approvers int
	Clock     func() time.Time
	Logger    *slog.Logger
}

// Keeper keeps reference values and boots. It is safe for concurrent use.
type Keeper struct {
	Config
	approvalKey wire.HexDigest

	// changing keeps changes in a row, so that what is built from the store is
	// never older than what was built before.
	changing sync.Mutex

	mu          sync.RWMutex
	sets        map[string]*wire.ReferenceSet
	subscribers []func(agency string)
}

// New reads all bundles and returns a Keeper.
func New(ctx context.Context, c Config) (*Keeper, error) {
	for name, missing := range map[string]bool{
		"store": c.Store == nil, "devices": c.Devices == nil, "appraise": c.Appraise == nil, "wants": c.Wants == nil,
		"approval key": c.Approval == nil, "clock": c.Clock == nil, "logger": c.Logger == nil,
		"number of approvers (1 or 2)": c.Approvers < 1 || c.Approvers > 2,
	} {
		if missing {
			return nil, fmt.Errorf("reference: no %s", name)
		}
	}
	spki, err := x509.MarshalPKIXPublicKey(c.Approval.Public())
	if err != nil {
		return nil, fmt.Errorf("reference: approval key: %w", err)
	}
	k := &Keeper{Config: c, approvalKey: sha256.Sum256(spki), sets: map[string]*wire.ReferenceSet{}}
	agencies, err := k.agencies(ctx)
	if err != nil {
		return nil, err
	}
	for _, agency := range agencies {
		if err := k.load(ctx, agency); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// agencies returns those that have bundles.
func (k *Keeper) agencies(ctx context.Context) ([]string, error) {
	var all []string
	prefix := store.Prefix(kindHead, "")
	for after := ""; ; {
		page, err := k.Store.Scan(ctx, prefix, after, pageSize)
		if err != nil {
			return nil, fmt.Errorf("reference: %w", err)
		}
		for _, r := range page.Records {
			agency, _, _ := strings.Cut(strings.TrimPrefix(r.Key, prefix), "/")
			if len(all) == 0 || all[len(all)-1] != agency {
				all = append(all, agency)
			}
		}
		if after = page.Next; after == "" {
			return all, nil
		}
	}
}

// Set returns the reference values of an agency: in memory, shared, never nil.
func (k *Keeper) Set(agency string) *wire.ReferenceSet {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if set := k.sets[agency]; set != nil {
		return set
	}
	return &wire.ReferenceSet{}
}

// Subscribe has f called with the agency after its set changed, in the
// goroutine that changed it: f must not block.
func (k *Keeper) Subscribe(f func(agency string)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.subscribers = append(k.subscribers, f)
}

// commit applies one transaction and exchanges the agency's set. The caller
// holds k.changing.
func (k *Keeper) commit(ctx context.Context, agency string, conditions []store.Compare, ops []store.Op) error {
	_, err := k.Store.Txn(ctx, conditions, ops)
	if err != nil && !errors.Is(err, store.ErrIndeterminate) {
		return fmt.Errorf("reference: %w", err)
	}
	before := k.Set(agency).Version
	if err := errors.Join(err, k.load(ctx, agency)); err != nil {
		return fmt.Errorf("reference: %w", err)
	}
	if k.Set(agency).Version != before {
		k.tell(agency)
	}
	return nil
}

func (k *Keeper) tell(agency string) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	for _, f := range k.subscribers {
		f(agency)
	}
}

// load builds an agency's set from the store and puts it in the place of the
// one before. What does not verify is left out, and logged.
func (k *Keeper) load(ctx context.Context, agency string) error {
	loaded, err := k.bundles(ctx, agency)
	if err != nil {
		return err
	}
	set := build(loaded)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sets[agency] = set
	return nil
}

// staged is a bundle in the state that it counts in.
type staged struct {
	bundle wire.Bundle
	state  wire.BundleState
}

// bundles reads and verifies an agency's bundles whose values stand for something.
func (k *Keeper) bundles(ctx context.Context, agency string) ([]staged, error) {
	headers, err := list[header](ctx, k.Store, store.Prefix(kindBundle, agency))
	if err != nil {
		return nil, err
	}
	signers, err := k.signerKeys(ctx, agency)
	if err != nil {
		return nil, err
	}
	var all []staged
	for _, f := range headers {
		switch f.value.Info.State {
		case wire.BundleNext, wire.BundleCurrent, wire.BundleSuperseded:
		default:
			continue
		}
		bundle, err := k.verified(ctx, f.value, signers)
		if err != nil {
			k.Logger.Error("reference values are left out: the bundle does not verify", "agency", agency, "bundle", bundleName(f.value.Info.ID, f.value.Info.Version), "error", err)
			continue
		}
		all = append(all, staged{bundle, f.value.Info.State})
	}
	return all, nil
}

var errNotVerified = errors.New("reference: the signature is not that of a trusted key")

// verified reads a bundle's values. Those of a draft that was learned have no
// signature yet.
func (k *Keeper) verified(ctx context.Context, h header, signers map[wire.HexDigest]crypto.PublicKey) (wire.Bundle, error) {
	canonical, err := k.canonical(ctx, h)
	if err != nil {
		return wire.Bundle{}, err
	}
	if sha256.Sum256(canonical) != h.Info.Digest {
		return wire.Bundle{}, errNotVerified
	}
	unsigned := h.Info.State == wire.BundleDraft && len(h.Signature) == 0
	if key, ok := signers[h.Key]; !unsigned && (!ok || !verifies(key, canonical, h.Signature)) {
		return wire.Bundle{}, errNotVerified
	}
	var b wire.Bundle
	if err := strictjson.Unmarshal(canonical, &b); err != nil {
		return wire.Bundle{}, fmt.Errorf("reference: %w", err)
	}
	// The header is not signed: it must not lend a bundle another's name.
	if b.ID != h.Info.ID || b.Version != h.Info.Version || b.Agency != wire.AnyAgency && b.Agency != h.Info.Agency {
		return wire.Bundle{}, errNotVerified
	}
	return b, check(b)
}
