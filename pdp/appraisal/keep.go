package appraisal

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

const (
	kind   = "attestation"
	nobody = "_"
	schema = 1
)

// kept is what the store holds of a device's last Evidence.
type kept struct {
	V       int                    `json:"v"`
	Result  wire.AttestationResult `json:"result"`
	Clock   *wire.TPMClock         `json:"clock,omitempty"`
	Refused bool                   `json:"refused"`
}

type burned struct {
	V       int       `json:"v"`
	Expires time.Time `json:"expires"`
}

// keep burns the nonce and, if it counts, keeps the result in one transaction.
// It returns an error that wraps store.ErrConflict if the nonce was burned
// before.
func (a *Appraiser) keep(ctx context.Context, dev wire.Device, t ticket, k kept, counts bool) error {
	k.V = schema
	result, err := json.Marshal(k)
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
			var k kept
			if err := json.Unmarshal(record.Value, &k); err != nil || k.V != schema {
				return fmt.Errorf("appraisal: unreadable result %s, schema version %d: %w", record.Key, k.V, err)
			}
			d := a.known(record.Key[strings.LastIndexByte(record.Key, '/')+1:])
			a.restore(d, k, now.Add(a.ReturnGrace-a.SilentAfter), now)
		}
		if after = page.Next; after == "" {
			return nil
		}
	}
}

// restore gives a device what the store holds of it. The lock is held.
func (a *Appraiser) restore(d *device, k kept, seen, now time.Time) {
	d.result, d.clock, d.refused, d.seen = k.Result, k.Clock, k.Refused, seen
	a.settle(d, now)
}
