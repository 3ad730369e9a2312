package reference

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// Kinds of records.
const (
	kindBundle = "reference"        // header of one version of a bundle
	kindPart   = "reference-part"   // a piece of its canonical bytes
	kindHead   = "reference-head"   // the newest version of an id
	kindSigner = "reference-signer" //
	kindBoot   = "boot"             // a device's last boot
	nobody     = "_"
	recordV    = 1
	pageSize   = 200
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
		return store.Op{}, fmt.Errorf("reference: encoding: %w", err)
	}
	return store.Op{Key: key, Value: raw}, nil
}

func decode[T any](r store.Record) (T, error) {
	var e envelope[T]
	if err := json.Unmarshal(r.Value, &e); err != nil {
		return e.Value, fmt.Errorf("reference: reading %s: %w", r.Key, err)
	}
	if e.V != recordV {
		var zero T
		return zero, fmt.Errorf("reference: %s has schema version %d, this program knows %d", r.Key, e.V, recordV)
	}
	return e.Value, nil
}

// get returns a record's value and revision; its error wraps store.ErrNotFound.
func get[T any](ctx context.Context, s store.Store, key string) (T, int64, error) {
	var zero T
	r, err := s.Get(ctx, key, store.Linearizable)
	if err != nil {
		return zero, 0, fmt.Errorf("reference: %w", err)
	}
	value, err := decode[T](r)
	return value, r.Revision, err
}

type found[T any] struct {
	key      string
	value    T
	revision int64
}

func list[T any](ctx context.Context, s store.Store, prefix string) ([]found[T], error) {
	var all []found[T]
	for after := ""; ; {
		page, err := s.Scan(ctx, prefix, after, pageSize)
		if err != nil {
			return nil, fmt.Errorf("reference: %w", err)
		}
		for _, r := range page.Records {
			value, err := decode[T](r)
			if err != nil {
				return nil, err
			}
			all = append(all, found[T]{r.Key, value, r.Revision})
		}
		if after = page.Next; after == "" {
			return all, nil
		}
	}
}

// header is what is kept of one version of a bundle beside its values.
type header struct {
	Info      wire.BundleInfo `json:"info"`
	Key       wire.HexDigest  `json:"key"`
	Signature []byte          `json:"signature,omitempty"`
	Parts     int             `json:"parts"`
	// Warnings are what was found while it was learned.
	Warnings []wire.Reason `json:"warnings,omitempty"`
}

func bundleName(id string, version uint64) string {
	return id + "@" + strconv.FormatUint(version, 10)
}

func bundleKey(agency, id string, version uint64) string {
	return store.Key(kindBundle, agency, bundleName(id, version))
}

func partKey(agency, id string, version uint64, part int) string {
	return store.Key(kindPart, agency, fmt.Sprintf("%s@%03d", bundleName(id, version), part))
}

func headKey(agency, id string) string { return store.Key(kindHead, agency, id) }

func signerKey(agency string, key wire.HexDigest) string {
	return store.Key(kindSigner, agency, key.String())
}

func bootKey(deviceID string) string { return store.Key(kindBoot, nobody, deviceID) }

// parts are the ops that keep canonical bytes.
func parts(info wire.BundleInfo, canonical []byte) (ops []store.Op, err error) {
	for n := 0; len(canonical) > 0; n++ {
		size := min(partBytes, len(canonical))
		op, err := put(partKey(info.Agency, info.ID, info.Version, n), canonical[:size])
		if err != nil {
			return nil, err
		}
		ops, canonical = append(ops, op), canonical[size:]
	}
	return ops, nil
}

// canonical reads the bytes that parts kept.
func (k *Keeper) canonical(ctx context.Context, h header) ([]byte, error) {
	var all []byte
	for n := range h.Parts {
		part, _, err := get[[]byte](ctx, k.Store, partKey(h.Info.Agency, h.Info.ID, h.Info.Version, n))
		if err != nil {
			return nil, err
		}
		all = append(all, part...)
	}
	return all, nil
}

func (k *Keeper) step(state wire.BundleState, by string) wire.BundleStep {
	return wire.BundleStep{State: state, By: by, At: k.Clock().UTC().Truncate(time.Second)}
}
