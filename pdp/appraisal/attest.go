package appraisal

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
	"unique"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// Attest has the Verifier judge what the device sent over its own connection.
// Refused Evidence is no error: it is answered with its findings.
func (a *Appraiser) Attest(ctx context.Context, dev wire.Device, channel [sha256.Size]byte, in wire.AttestRequest) (wire.AttestAnswer, error) {
	t, err := a.open(in.Ticket, dev, channel, a.Clock())
	if err != nil {
		a.recordRefusal(ctx, dev, err)
		return wire.AttestAnswer{}, err
	}
	a.mu.Lock()
	d := a.known(dev.ID)
	a.mu.Unlock()
	d.appraising.Lock()
	defer d.appraising.Unlock()

	// The appraising lock keeps the device's last result as it is meanwhile.
	a.mu.Lock()
	was, last := d.result, judged{Clock: d.clock, Refused: d.refused, Rests: d.rests, Cloned: d.cloned}
	a.mu.Unlock()
	last.Result = was.result(dev.ID)
	next, out := a.verify(ctx, dev, t, in.Evidence, last)
	// Evidence that was overtaken by newer Evidence, or that asks the PDP to
	// remember what it does not, changes nothing: only its nonce is burned.
	counts := next.Refused || !out.Incomplete && !t.IssuedAt.Before(last.Result.IssuedAt)
	if counts && out.Boot != nil {
		a.saw(ctx, dev, *out.Boot)
	}
	if err := a.keep(ctx, dev, t, next, out.Kept, counts); err != nil {
		if errors.Is(err, store.ErrConflict) {
			err = refuse(reason.NonceSpent)
			a.recordRefusal(ctx, dev, err)
			return wire.AttestAnswer{}, err
		}
		a.change(dev.ID, func(d *device, _ time.Time) bool { d.doubted = true; return false })
		return wire.AttestAnswer{}, err
	}
	if counts {
		a.apply(ctx, dev, was, last.Refused, next)
	}
	return a.answer(dev, next, out)
}

func (a *Appraiser) verify(ctx context.Context, dev wire.Device, t ticket, e wire.Evidence, last judged) (judged, wire.Appraised) {
	in := Input{
		Evidence: e, Device: dev, Nonce: t.Nonce, Previous: last.Clock, Cloned: last.Cloned, Recall: func() *wire.Kept { return a.recall(ctx, dev) },
		RecallBoot: func() *wire.Boot { return a.recallBoot(ctx, dev.ID) },
		IssuedAt:   t.IssuedAt, Now: a.Clock(), ValidFor: a.validFor(),
	}
	if t.IssuedAt.Before(last.Result.IssuedAt) {
		in.Previous = nil // an earlier quote has an earlier clock
	}
	if !last.Result.IssuedAt.IsZero() {
		in.Last, in.Rests = &last.Result, last.Rests
	}
	out := a.Verify(in)
	r := out.AttestationResult
	r.DeviceID, r.IssuedAt, r.ValidUntil = dev.ID, t.IssuedAt, t.IssuedAt.Add(a.validFor())
	next := judged{Result: r, Clock: last.Clock, Refused: refused(r), Rests: out.Rests, Cloned: last.Cloned || isCloned(r)}
	if next.Refused {
		next.Rests, out.Kept = [sha256.Size]byte{}, nil
	}
	// A fall of counters does not become the new normal: its finding stays
	// until they rise again or the device is enrolled anew. Nor does the absence
	// of counters: Evidence that was too late tells none, and would wash away
	// what a rollback is known by.
	if proven(r) && !out.Fallen && !out.Incomplete {
		next.Clock = new(r.Clock) // and not the whole result with it
	}
	return next, out
}

// isCloned reports whether two copies of the device were seen.
func isCloned(r wire.AttestationResult) bool {
	return slices.ContainsFunc(r.Findings, func(f wire.Finding) bool { return f.Reason.Code == reason.SoftwareCloned })
}

// refused reports whether Evidence was not this device's. A boot that was
// tampered with is told by genuine Evidence.
func refused(r wire.AttestationResult) bool {
	return r.Vector.InstanceIdentity == wire.Contraindicated
}

// proven reports whether Evidence was judged to be this device's, so that its
// clock is the device's own.
func proven(r wire.AttestationResult) bool {
	return r.Vector.InstanceIdentity == wire.Affirming || r.Vector.InstanceIdentity == wire.Warning
}

// apply makes next the device's standing.
func (a *Appraiser) apply(ctx context.Context, dev wire.Device, was *compact, wasRefused bool, next judged) {
	r, is := next.Result, pack(next.Result)
	news := next.Refused != wasRefused || !was.same(is)
	if news {
		// A result gives no access by itself: the decision that rests on it
		// is recorded or not given. So a result counts even if the log is
		// full; a worse one above all.
		a.record(ctx, dev, judgement{Refused: next.Refused, Vector: r.Vector, Findings: r.Findings, IssuedAt: r.IssuedAt})
	}
	a.change(dev.ID, func(d *device, now time.Time) bool {
		d.result, d.refused, d.clock, d.doubted, d.seen = is, next.Refused, next.Clock, false, now
		d.rests, d.agency, d.cloned = next.Rests, unique.Make(dev.Agency), next.Cloned
		if c := d.command; c != nil && !r.IssuedAt.Before(c.askedAt) {
			close(c.done)
			d.command = nil
		}
		return news
	})
}

func (a *Appraiser) answer(dev wire.Device, j judged, out wire.Appraised) (wire.AttestAnswer, error) {
	next, err := a.nextIn()
	if err != nil {
		return wire.AttestAnswer{}, err
	}
	answer := wire.AttestAnswer{
		Accepted: !j.Refused && !out.Incomplete, Result: j.Result, NextInSeconds: next, Wants: out.Wants, IMAFrom: out.IMAFrom,
		Device: wire.KnownDevice{ID: dev.ID, Name: dev.Name, Agency: dev.Agency, Status: dev.Status},
	}
	answer.Result.Findings = told(j.Result.Findings)
	// A list of software is sent apart: only then there is more to attest.
	if slices.ContainsFunc(answer.Wants, func(w wire.Want) bool { return w != wire.WantInventory }) {
		answer.NextInSeconds = 1
	}
	if a.Score != nil {
		if score, known := a.Score(dev.ID); known {
			answer.Trust = &score
		}
	}
	return answer, nil
}

// told leaves of withheld findings the code alone: whoever forges Evidence does
// not learn from the answer what gave it away. Officers see them whole.
func told(findings []wire.Finding) []wire.Finding {
	all := slices.Clone(findings)
	for i, f := range all {
		if reason.Withheld(f.Reason) {
			all[i] = wire.Finding{Type: f.Type, Reason: wire.Reason{Code: f.Reason.Code}, Note: f.Note}
		}
	}
	return all
}

// nextIn draws from the last fifth of the interval, so that devices that were
// switched on together do not stay together.
func (a *Appraiser) nextIn() (int, error) {
	var b [4]byte
	if _, err := io.ReadFull(a.Random, b[:]); err != nil {
		return 0, fmt.Errorf("appraisal: drawing jitter: %w", err)
	}
	fifth := a.Interval / 5
	share := float64(binary.BigEndian.Uint32(b[:])) / (1 << 32)
	in := a.Interval - time.Duration(share*float64(fifth))
	return max(1, int(in/time.Second)), nil
}

// judgement is the detail of an audit record of appraisal.
type judgement struct {
	Refused  bool             `json:"refused"`
	Reason   string           `json:"reason,omitempty"` // of Evidence that was not judged
	Review   bool             `json:"review,omitempty"` // judged anew without Evidence
	Vector   wire.TrustVector `json:"vector"`
	Findings []wire.Finding   `json:"findings,omitempty"`
	IssuedAt time.Time        `json:"issued_at"`
}

func (a *Appraiser) record(ctx context.Context, dev wire.Device, j judgement) {
	detail, err := json.Marshal(j)
	if err == nil {
		_, err = a.Recorder.Append(ctx, wire.AuditRecord{
			Kind: wire.AuditAppraisal, At: a.Clock().UTC(), Agency: dev.Agency, Device: dev.ID, Detail: detail,
		})
	}
	if err != nil {
		a.Logger.Error("an appraisal could not be recorded", "device", dev.ID, "error", err)
	}
}

// recordRefusal records what an honest agent does not do. A late answer, or
// one after a reconnection, is only logged, and so are many in a row: a device
// must not fill the audit log.
func (a *Appraiser) recordRefusal(ctx context.Context, dev wire.Device, err error) {
	var r *Refusal
	if !errors.As(err, &r) {
		return
	}
	a.Logger.Info("evidence not judged", "device", dev.ID, "reason", r.why.Code)
	honest := r.why.Code == reason.NonceExpired || r.why.Code == reason.NonceChannel
	if !honest && a.refusals.Permit(dev.ID, a.Clock()) {
		a.record(ctx, dev, judgement{Refused: true, Reason: r.why.Code})
	}
}
