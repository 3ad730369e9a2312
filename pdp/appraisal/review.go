package appraisal

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
	"unique"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// Reconsider has every device of an agency judged anew by what is kept of its
// last accepted Evidence, at once and without new Evidence: the reference
// values, the exceptions or whatever else it is held against changed. It returns
// at once; Run does it.
func (a *Appraiser) Reconsider(agency string) {
	a.mu.Lock()
	a.doubted[agency] = struct{}{}
	a.mu.Unlock()
	select {
	case a.doubt <- struct{}{}:
	default:
	}
}

// reconsidering reviews agencies until ctx ends. Changes that come while an
// agency is reviewed lead to one more review of it.
func (a *Appraiser) reconsidering(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.doubt:
		}
		a.mu.Lock()
		agencies := slices.Sorted(maps.Keys(a.doubted))
		clear(a.doubted)
		a.mu.Unlock()
		for _, agency := range agencies {
			a.reviewAll(ctx, agency)
		}
	}
}

// reviewAll judges an agency's devices anew. One whose last Evidence was
// refused, or of which nothing is kept, stays as it is.
func (a *Appraiser) reviewAll(ctx context.Context, agency string) {
	for _, id := range a.of(agency) {
		if ctx.Err() != nil {
			return
		}
		if err := a.review(ctx, wire.Device{ID: id, Agency: agency}); err != nil {
			a.Logger.Error("a device was not judged anew", "device", id, "error", err)
		}
	}
}

// of returns the agency's devices, in order.
func (a *Appraiser) of(agency string) []string {
	wanted := unique.Make(agency)
	a.mu.Lock()
	defer a.mu.Unlock()
	var ids []string
	for id, d := range a.devices {
		if d.agency == wanted && !d.result.issuedAt.IsZero() {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func (a *Appraiser) review(ctx context.Context, dev wire.Device) error {
	a.mu.Lock()
	d := a.known(dev.ID)
	a.mu.Unlock()
	d.appraising.Lock()
	defer d.appraising.Unlock()
	a.mu.Lock()
	was, last := d.result, judged{Clock: d.clock, Refused: d.refused, Cloned: d.cloned}
	a.mu.Unlock()
	last.Result = was.result(dev.ID)
	kept := a.recall(ctx, dev)
	if last.Refused || last.Result.IssuedAt.IsZero() || kept == nil {
		return nil
	}
	out := a.Review(Reviewed{
		Device: dev, Last: last.Result, Kept: *kept, Now: a.Clock(),
		RecallBoot: func() *wire.Boot { return a.recallBoot(ctx, dev.ID) },
	})
	next := last
	next.Result, next.Refused, next.Rests = out.AttestationResult, refused(out.AttestationResult), [sha256.Size]byte{}
	next.Result.DeviceID, next.Result.IssuedAt, next.Result.ValidUntil = dev.ID, last.Result.IssuedAt, last.Result.ValidUntil
	is := pack(next.Result)
	if next.Refused == last.Refused && was.same(is) {
		return nil
	}
	next.V = schema
	value, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("appraisal: %w", err)
	}
	_, err = a.Store.Txn(ctx, nil, []store.Op{{Key: store.Key(kind, dev.Agency, dev.ID), Value: value}})
	if err != nil {
		return fmt.Errorf("appraisal: keeping a review: %w", err)
	}
	a.applyReview(ctx, dev, next, is)
	return nil
}

// applyReview makes next the device's standing. It was not heard of for that,
// and no question is answered by it.
func (a *Appraiser) applyReview(ctx context.Context, dev wire.Device, next judged, is *compact) {
	a.record(ctx, dev, judgement{
		Refused: next.Refused, Review: true, Vector: next.Result.Vector, Findings: next.Result.Findings, IssuedAt: next.Result.IssuedAt,
	})
	a.change(dev.ID, func(d *device, _ time.Time) bool {
		d.result, d.refused, d.rests = is, next.Refused, next.Rests
		return true
	})
}
