package appraisal

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unique"

	"github.com/menshen-zt/menshen/internal/deflate"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

const (
	kind   = "attestation"
	nobody = "_"
	schema = 1
	// keptKind is the kind of what is only read where something changed, and
	// only written then.
	keptKind = "attestation-kept"
)

// judged is what the store holds of the judgement of a device's last Evidence.
type judged struct {
	V       int                    `json:"v"`
	Result  wire.AttestationResult `json:"result"`
	Clock   *wire.TPMClock         `json:"clock,omitempty"`
	Refused bool                   `json:"refused"`
	Cloned  bool                   `json:"cloned,omitempty"`
	Rests   [sha256.Size]byte      `json:"rests,omitzero"`
}

// remembered is wire.Kept in the store, its document deflated.
type remembered struct {
	V int `json:"v"`
	wire.Kept
}

type burned struct {
	V       int       `json:"v"`
	Expires time.Time `json:"expires"`
}

// keep burns the nonce and, if it counts, keeps the judgement and what the next
// Evidence may refer to, in one transaction. It returns an error that wraps
// store.ErrConflict if the nonce was burned before.
func (a *Appraiser) keep(ctx context.Context, dev wire.Device, t ticket, j judged, kept *wire.Kept, counts bool) error {
	j.V = schema
	result, err := json.Marshal(j)
	if err != nil {
		return fmt.Errorf("appraisal: %w", err)
	}
	spent, err := json.Marshal(burned{V: schema, Expires: t.IssuedAt.Add(wire.NonceLife)})
	if err != nil {
		return fmt.Errorf("appraisal: %w", err)
	}
	key := t.spentKey()
	ops := []store.Op{{Key: key, Value: spent}}
	if counts {
		ops = append(ops, store.Op{Key: store.Key(kind, dev.Agency, dev.ID), Value: result})
	}
	if counts && kept != nil {
		small := *kept
		if small.Document, err = deflate.Pack(kept.Document); err != nil {
			return fmt.Errorf("appraisal: %w", err)
		}
		value, err := json.Marshal(remembered{schema, small})
		if err != nil {
			return fmt.Errorf("appraisal: %w", err)
		}
		ops = append(ops, store.Op{Key: store.Key(keptKind, dev.Agency, dev.ID), Value: value})
	}
	if _, err = a.Store.Txn(ctx, []store.Compare{{Key: key}}, ops); err != nil {
		return fmt.Errorf("appraisal: keeping a result: %w", err)
	}
	return nil
}

// load reads every device's last result. Those with fresh Evidence get the
// return grace to come back (design: protocols, Silence).
func (a *Appraiser) load(ctx context.Context) error {
	now := a.Clock()
	a.mu.Lock()
	defer a.mu.Unlock()
	for after := ""; ; {
		page, err := a.Store.Scan(ctx, store.Prefix(kind, ""), after, 500)
		if err != nil {
			return fmt.Errorf("appraisal: loading: %w", err)
		}
		for _, record := range page.Records {
			var k judged
			if err := json.Unmarshal(record.Value, &k); err != nil || k.V != schema {
				return fmt.Errorf("appraisal: unreadable result %s, schema version %d: %w", record.Key, k.V, err)
			}
			parts := strings.Split(record.Key, "/")
			d := a.known(parts[len(parts)-1])
			d.agency = unique.Make(parts[len(parts)-2])
			a.restore(d, k, now.Add(a.ReturnGrace-a.SilentAfter), now)
		}
		if after = page.Next; after == "" {
			return nil
		}
	}
}

// restore gives a device what the store holds of it. The lock is held.
func (a *Appraiser) restore(d *device, j judged, seen, now time.Time) {
	d.result, d.clock, d.refused, d.rests, d.seen = pack(j.Result), j.Clock, j.Refused, j.Rests, seen
	d.cloned = j.Cloned
	a.settle(d, now)
}

// recall reads what is kept of the device's last accepted Evidence. What cannot
// be read is asked for again.
func (a *Appraiser) recall(ctx context.Context, dev wire.Device) *wire.Kept {
	record, err := a.Store.Get(ctx, store.Key(keptKind, dev.Agency, dev.ID), store.Local)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	var r remembered
	if err == nil {
		err = json.Unmarshal(record.Value, &r)
	}
	if err == nil {
		r.Document, err = deflate.Unpack(r.Document, wire.MaxClaimsBytes)
	}
	if err != nil || r.V != schema {
		a.Logger.Warn("what was kept of a device cannot be read", "device", dev.ID, "schema", r.V, "error", err)
		return nil
	}
	return &r.Kept
}

// saw has a boot kept before the judgement that rests on it is. One that could
// not be kept is asked for again.
func (a *Appraiser) saw(ctx context.Context, dev wire.Device, boot wire.Boot) {
	if err := a.Boots.Saw(ctx, dev, boot); err != nil {
		a.Logger.Warn("a boot was not kept", "device", dev.ID, "error", err)
	}
}

func (a *Appraiser) recallBoot(ctx context.Context, deviceID string) *wire.Boot {
	boot, err := a.Boots.Boot(ctx, deviceID)
	if err != nil {
		if !errors.Is(err, store.ErrNotFound) {
			a.Logger.Warn("the boot that was kept of a device cannot be read", "device", deviceID, "error", err)
		}
		return nil
	}
	return &boot
}
