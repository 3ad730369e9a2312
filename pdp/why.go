package pdp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
	"github.com/menshen-zt/menshen/pdp/audit"
	"github.com/menshen-zt/menshen/pdp/directory"
	"github.com/menshen-zt/menshen/pdp/store"
)

// adminDecisions is what administration sees of recorded decisions.
type adminDecisions struct {
	*history
	names *directory.Directory
}

// Decision implements admin.Decisions.
func (a adminDecisions) Decision(_ context.Context, id string) ([]client.Record, error) {
	entries, err := audit.Find(a.dir, id)
	if err != nil {
		return nil, err
	}
	var all []client.Record
	for _, e := range entries {
		all = append(all, client.RecordOf(e.Sequence, e.Record))
	}
	return all, nil
}

// Erase implements admin.Decisions, in every agency: each records what is
// decided about the person at its own portals.
func (a adminDecisions) Erase(ctx context.Context, person string) (int, error) {
	agencies, err := a.names.Agencies(ctx)
	if err != nil {
		return 0, err
	}
	ids := make([]string, len(agencies))
	for i, agency := range agencies {
		ids[i] = agency.ID
	}
	return a.inputs.Erase(ctx, person, ids)
}

// Why implements admin.Decisions.
func (a adminDecisions) Why(ctx context.Context, id string) (client.Why, error) {
	record, uses, err := a.taken(id)
	if err != nil {
		return client.Why{}, err
	}
	if record.Kind == wire.AuditEvaluation {
		return a.whyEvaluation(ctx, &record)
	}
	w := client.Why{Agency: record.Agency, Session: record.Session, Uses: uses}
	w.Detail.Decision = &w.Decision
	if err := json.Unmarshal(record.Detail, &w.Detail); err != nil {
		return client.Why{}, fmt.Errorf("pdp: %w", err)
	}
	w.Detail.Decision = nil // it stands beside
	if w.Policies, w.InForce, err = a.places(ctx, &w.Decision); err != nil {
		return client.Why{}, err
	}
	if _, _, err := a.read(ctx, &record); err != nil {
		var why interface{ Reason() wire.Reason }
		if !errors.As(err, &why) {
			return client.Why{}, err
		}
		told := why.Reason()
		w.Inputs = &told
	}
	return w, a.name(ctx, &record, &w)
}

// places tells where the determining policies stand.
func (a adminDecisions) places(ctx context.Context, d *wire.Decision) (all []client.PolicyPlace, inForce bool, err error) {
	set, err := a.policyOf(ctx, d.PolicyVersion)
	var told interface{ Reason() wire.Reason } // the set is there, and not to be trusted
	if err != nil && !errors.Is(err, store.ErrNotFound) && !errors.As(err, &told) {
		return nil, false, err
	}
	for _, id := range d.Policies {
		place := client.PolicyPlace{ID: id}
		if set != nil {
			place.File, place.Line = set.Place(id)
		}
		all = append(all, place)
	}
	return all, d.PolicyVersion == a.inForce(), nil
}

// name fills in the names that person, device and portal have now.
func (a adminDecisions) name(ctx context.Context, r *wire.AuditRecord, w *client.Why) error {
	var err error
	if w.Person, w.Device, err = a.whose(ctx, r.Subject, r.Device); err != nil {
		return err
	}
	w.Portal.ID = r.Portal
	portal, err := a.names.Portal(ctx, r.Portal)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	w.Portal.Name, w.Portal.NameZH = portal.NameEN, portal.NameZH
	return nil
}

// whose names a person and a device.
func (a adminDecisions) whose(ctx context.Context, personID, deviceID string) (p, d client.Named, err error) {
	p.ID, d.ID = personID, deviceID
	person, err := a.names.Person(ctx, personID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return p, d, err
	}
	p.Name, p.Account = person.Name, person.Account
	device, err := a.names.Device(ctx, deviceID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return p, d, err
	}
	d.Name = device.Name
	return p, d, nil
}

// List implements admin.Decisions. It keeps no more in memory than is wanted.
func (a adminDecisions) List(ctx context.Context, q client.DecisionQuery) (client.Decisions, error) {
	var out client.Decisions
	ring := make([]client.DecisionLine, 0, q.Limit)
	found := 0
	for e, err := range audit.Since(a.dir, q.Since) {
		if err != nil {
			return client.Decisions{}, err
		}
		if ctx.Err() != nil {
			out.Until = e.At
			break
		}
		line, ok := listLine(&e.Record, &q)
		if !ok {
			continue
		}
		if len(ring) < q.Limit {
			ring = append(ring, line)
		} else {
			ring[found%q.Limit] = line
		}
		found++
	}
	out.More = found > q.Limit
	for i := range ring { // the latest first
		out.Decisions = append(out.Decisions, ring[(found-1-i)%len(ring)])
	}
	return out, nil
}

// listLine returns the decision of a record, if it is one that is wanted.
func listLine(r *wire.AuditRecord, q *client.DecisionQuery) (client.DecisionLine, bool) {
	wanted := func(what, is string) bool { return what == "" || what == is }
	if r.Kind != wire.AuditDecision || !wanted(q.Agency, r.Agency) || !wanted(q.Person, r.Subject) || !wanted(q.Device, r.Device) || !wanted(q.Portal, r.Portal) {
		return client.DecisionLine{}, false
	}
	var d wire.Decision
	if json.Unmarshal(r.Detail, &wire.DecisionDetail{Decision: &d}) != nil || !wanted(q.Effect, d.Effect.String()) {
		return client.DecisionLine{}, false
	}
	line := client.DecisionLine{ID: r.Decision, At: r.At, Effect: d.Effect, Action: d.Action, Agency: r.Agency, Portal: r.Portal, Person: r.Subject, Device: r.Device}
	for _, why := range d.Reasons {
		line.Reasons = append(line.Reasons, why.Code)
	}
	line.Reasons = slices.Compact(line.Reasons)
	return line, true
}

// signInOf returns whose sign-in a recorded decision rests on, and when its key
// was touched.
func (h *history) signInOf(id string) (person string, at time.Time, err error) {
	record, _, err := h.taken(id)
	if err != nil {
		return "", time.Time{}, err
	}
	var d wire.DecisionDetail
	if err := json.Unmarshal(record.Detail, &d); err != nil {
		return "", time.Time{}, fmt.Errorf("pdp: %w", err)
	}
	if record.Kind != wire.AuditDecision || d.SignInAt.IsZero() {
		return "", time.Time{}, fmt.Errorf("pdp: %w", store.ErrNotFound)
	}
	return record.Subject, d.SignInAt, nil
}
