package policyset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// Kinds of records.
const (
	kindSet        = "policy-set"        // header of one version
	kindPart       = "policy-set-part"   // a piece of its files' canonical bytes
	kindActivation = "policy-activation" // one coming into force, by its number
	kindTried      = "policy-tried"      // what the last whole what-if of a version said
	nobody         = "_"                 // the policy is of no one agency
	recordV        = 1
	pageSize       = 200
	// partBytes keeps a part in base64 below store.MaxValueBytes.
	partBytes = 700 << 10
)

type envelope[T any] struct {
	V     int `json:"v"`
	Value T   `json:"value"`
}

func put[T any](key string, value T) (store.Op, error) {
	raw, err := json.Marshal(envelope[T]{V: recordV, Value: value})
	if err != nil {
		return store.Op{}, fmt.Errorf("policyset: encoding: %w", err)
	}
	return store.Op{Key: key, Value: raw}, nil
}

// errUnreadable marks a record that is there and says nothing.
var errUnreadable = errors.New("policyset: a record cannot be read")

func decode[T any](r store.Record) (T, error) {
	var e envelope[T]
	if err := json.Unmarshal(r.Value, &e); err != nil || e.V != recordV {
		var zero T
		return zero, fmt.Errorf("%w: %s, schema version %d: %w", errUnreadable, r.Key, e.V, errors.Join(err))
	}
	return e.Value, nil
}

// get returns a record's value and revision; its error wraps store.ErrNotFound
// or errUnreadable, and then the revision counts too.
func get[T any](ctx context.Context, s store.Store, key string) (T, int64, error) {
	var zero T
	r, err := s.Get(ctx, key, store.Linearizable)
	if err != nil {
		return zero, 0, fmt.Errorf("policyset: %w", err)
	}
	value, err := decode[T](r)
	return value, r.Revision, err
}

type found struct {
	key      string
	value    header
	revision int64
}

// header is what is kept of a set beside its files.
type header struct {
	Set       wire.PolicySet   `json:"set"`
	Parts     int              `json:"parts"`
	Signature []byte           `json:"signature"`
	Approvals []signedApproval `json:"approvals,omitempty"`
}

func setKey(version string) string { return store.Key(kindSet, nobody, version) }

func partKey(version string, part int) string {
	return store.Key(kindPart, nobody, fmt.Sprintf("%s@%03d", version, part))
}

func activationKey(number uint64) string {
	return store.Key(kindActivation, nobody, fmt.Sprintf("%020d", number))
}

func triedKey(version string) string { return store.Key(kindTried, nobody, version) }

// headers reads all sets' headers, in the order of their versions. One that
// cannot be read is left out, and logged.
func (k *Keeper) headers(ctx context.Context) ([]found, error) {
	var all []found
	prefix := store.Prefix(kindSet, nobody)
	for after := ""; ; {
		page, err := k.Store.Scan(ctx, prefix, after, pageSize)
		if err != nil {
			return nil, fmt.Errorf("policyset: %w", err)
		}
		for _, r := range page.Records {
			h, err := decode[header](r)
			if err != nil {
				k.Logger.Error("a policy set is left out", "error", err)
				continue
			}
			all = append(all, found{r.Key, h, r.Revision})
		}
		if after = page.Next; after == "" {
			return all, nil
		}
	}
}

// parts are the ops that keep canonical bytes.
func parts(version string, canonical []byte) (ops []store.Op, err error) {
	for n := 0; len(canonical) > 0; n++ {
		size := min(partBytes, len(canonical))
		op, err := put(partKey(version, n), canonical[:size])
		if err != nil {
			return nil, err
		}
		ops, canonical = append(ops, op), canonical[size:]
	}
	return ops, nil
}

// content reads the bytes that parts kept.
func (k *Keeper) content(ctx context.Context, version string, count int) ([]byte, error) {
	var all []byte
	for n := range count {
		part, _, err := get[[]byte](ctx, k.Store, partKey(version, n))
		if errors.Is(err, store.ErrNotFound) || errors.Is(err, errUnreadable) {
			return nil, fmt.Errorf("%w: %w", errNotVerified, err)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, part...)
	}
	return all, nil
}

func (k *Keeper) step(state wire.PolicyState, by string) wire.PolicyStep {
	return wire.PolicyStep{State: state, By: by, At: k.now()}
}

func (k *Keeper) now() time.Time { return k.Clock().UTC().Truncate(time.Second) }
