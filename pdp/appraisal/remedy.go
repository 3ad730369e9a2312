package appraisal

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// measureWait is how long a repair waits for the Evidence after it.
const measureWait = time.Minute

// repair is a remedy that an administrator asked of one device, which has one at
// most. The Appraiser's lock guards it.
type repair struct {
	id     string
	claim  wire.ClaimID
	device wire.Device // its ID and Agency
	by     string
	sentAt time.Time // zero until it was handed to a long poll
	// ends is when it is waited for no more, and after the end when it is
	// forgotten.
	ends time.Time
	// report is what the agent told, nil until then; recorded says that the
	// audit log has it.
	report   *wire.RemedyReport
	recorded bool
	why      *wire.Reason // that it was not done
	doneAt   time.Time
	gone     bool // the device is
}

// awaited reports whether the agent may still tell how it ended.
func (r *repair) awaited() bool { return r.report == nil && r.why == nil }

// Repair has the device's agent asked, by its long poll, to apply the remedy for
// a claim. One that is asked for already is joined.
func (a *Appraiser) Repair(dev wire.Device, claim wire.ClaimID, by string) (wire.Repair, error) {
	if !claim.Remediable() {
		var all []string
		for _, c := range wire.Remedies() {
			all = append(all, string(c))
		}
		return wire.Repair{}, &Refusal{reason.New(reason.CfgNoRemedy, "claim", string(claim), "claims", strings.Join(all, ", "))}
	}
	if dev.Status != wire.DeviceActive && dev.Status != wire.DeviceQuarantined {
		return wire.Repair{}, &Refusal{reason.New(reason.CfgRemedyState, "device", dev.Name)}
	}
	id, err := wire.NewID(wire.PrefixCommand, a.Random)
	if err != nil {
		return wire.Repair{}, fmt.Errorf("appraisal: %w", err)
	}
	now := a.Clock()
	a.mu.Lock()
	defer a.mu.Unlock()
	if r := a.repairs[dev.ID]; r != nil && !r.recorded && r.why == nil {
		if r.claim != claim {
			return wire.Repair{}, &Refusal{reason.New(reason.CfgRemedyBusy, "claim", string(r.claim))}
		}
		return a.told(r, now), nil
	}
	r := &repair{id: id, claim: claim, device: wire.Device{ID: dev.ID, Agency: dev.Agency}, by: by, ends: now.Add(wire.RepairLife)}
	a.repairs[dev.ID] = r
	if d := a.devices[dev.ID]; d != nil {
		d.ring()
	}
	return a.told(r, now), nil
}

// RepairOf tells how far a device's repair has come, while it is remembered.
func (a *Appraiser) RepairOf(deviceID, id string) (wire.Repair, error) {
	now := a.Clock()
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.repairs[deviceID]
	if r == nil || r.id != id {
		return wire.Repair{}, fmt.Errorf("appraisal: repair %q: %w", id, store.ErrNotFound)
	}
	return a.told(r, now), nil
}

// told is what an administrator is told. The lock is held.
func (a *Appraiser) told(r *repair, now time.Time) wire.Repair {
	out := wire.Repair{ID: r.id, Claim: r.claim, Stage: wire.RepairSent, Reason: r.why}
	switch {
	case r.why != nil:
		out.Stage = wire.RepairEnded
	case !r.recorded && !r.sentAt.IsZero():
		out.Stage = wire.RepairTaken
	case r.recorded:
		out.Stage, out.Done = wire.RepairMeasuring, true
		if d := a.devices[r.device.ID]; d != nil && !d.result.issuedAt.Before(r.doneAt) {
			out.Measured = true
			claims := d.result.result(d.id).Claims
			if i := slices.IndexFunc(claims, func(c wire.Claim) bool { return c.ID == r.claim }); i >= 0 {
				out.State = claims[i].State
			}
		}
		if out.Measured || !now.Before(r.doneAt.Add(measureWait)) {
			out.Stage = wire.RepairEnded
		}
	}
	return out
}

// due is how long a command must not be sent yet.
func due(sentAt, now time.Time) time.Duration {
	if sentAt.IsZero() {
		return 0
	}
	return sentAt.Add(redeliverAfter).Sub(now)
}

// outcome is why a remedy was not applied, nil if it was. Only what an honest
// agent can say is taken over, and made fit for a terminal.
func outcome(in wire.RemedyReport) (*wire.Reason, error) {
	bad := &Refusal{reason.New(reason.RemedyReportBad)}
	if in.Done == (in.Reason != nil) {
		return nil, bad
	}
	if in.Done {
		return nil, nil //nolint:nilnil // done: there is no reason why not
	}
	why := wire.Reason{Code: in.Reason.Code, Args: map[string]string{"claim": string(in.Claim)}}
	switch why.Code {
	case reason.RemedyOff, reason.RemedyNotAllowed, reason.RemedyFailed, reason.RemedyUnknown:
	default:
		return nil, bad
	}
	for name, value := range in.Reason.Args {
		if len(value) > wire.MaxRemedyProblem || name != "claim" && name != "problem" {
			return nil, bad
		}
	}
	if why.Code == reason.RemedyFailed {
		why.Args["problem"] = strings.Map(func(c rune) rune {
			if !unicode.IsGraphic(c) {
				return '?'
			}
			return c
		}, in.Reason.Args["problem"])
	}
	return &why, nil
}

// Remedied takes the device's own word of how the remedy ended that it was asked
// for, once it is in the audit log, and asks the device to measure. The same word
// again changes nothing.
func (a *Appraiser) Remedied(ctx context.Context, dev wire.Device, in wire.RemedyReport) error {
	why, err := outcome(in)
	if err != nil {
		return err
	}
	r, err := a.claimReport(dev.ID, in)
	if r == nil || err != nil {
		return err
	}
	err = a.recordRepair(ctx, r, why)
	now := a.Clock()
	a.mu.Lock()
	if err != nil {
		r.report = nil // the agent tells again
	} else {
		r.recorded, r.why, r.doneAt, r.ends = true, why, now, now.Add(wire.RepairLife)
	}
	a.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	a.Ask(dev.ID)
	return nil
}

// claimReport finds what the report is about and takes it; nil where it is known
// already.
func (a *Appraiser) claimReport(deviceID string, in wire.RemedyReport) (*repair, error) {
	now := a.Clock()
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.repairs[deviceID]
	asked := r != nil && r.id == in.Command && r.claim == in.Claim && !r.sentAt.IsZero()
	switch {
	case asked && r.report != nil && reflect.DeepEqual(*r.report, in):
		if !r.recorded {
			return nil, fmt.Errorf("appraisal: the same report is being recorded: %w", store.ErrUnavailable)
		}
		return nil, nil //nolint:nilnil // nothing is left to do
	case !asked || !r.awaited() || !now.Before(r.ends):
		return nil, &Refusal{reason.New(reason.RemedyNotAsked)}
	}
	r.report = &in
	return r, nil
}

// endRepairs gives up on remedies whose time is over or whose device is gone, and
// forgets what was told long enough.
func (a *Appraiser) endRepairs(ctx context.Context) {
	for _, r := range a.lapsed() {
		if err := a.recordRepair(ctx, r, r.why); err != nil {
			a.Logger.Error("the end of a repair could not be recorded", "device", r.device.ID, "claim", r.claim, "error", err)
		}
	}
}

// lapsed ends the repairs that nothing will be told of any more.
func (a *Appraiser) lapsed() (ended []*repair) {
	now := a.Clock()
	a.mu.Lock()
	defer a.mu.Unlock()
	for id, r := range a.repairs {
		over := !now.Before(r.ends)
		switch {
		case r.awaited() && (r.gone || over):
			why := reason.New(reason.RemedyNoAnswer, "claim", string(r.claim))
			if r.gone {
				why.Code = reason.RemedyGone
			}
			r.why, r.ends = &why, now.Add(wire.RepairLife)
			ended = append(ended, r)
		case over && (r.recorded || r.why != nil):
			delete(a.repairs, id)
		}
	}
	return ended
}

// repaired is the detail of an audit record of a remedy.
type repaired struct {
	Command string       `json:"command"`
	Claim   wire.ClaimID `json:"claim"`
	By      string       `json:"by"` // who asked
	Done    bool         `json:"done"`
	Reason  *wire.Reason `json:"reason,omitempty"`
}

func (a *Appraiser) recordRepair(ctx context.Context, r *repair, why *wire.Reason) error {
	detail, err := json.Marshal(repaired{Command: r.id, Claim: r.claim, By: r.by, Done: why == nil, Reason: why})
	if err != nil {
		return fmt.Errorf("appraisal: %w", err)
	}
	_, err = a.Recorder.Append(ctx, wire.AuditRecord{
		Kind: wire.AuditRemedy, At: a.Clock().UTC(), Agency: r.device.Agency, Device: r.device.ID, Detail: detail,
	})
	return err
}
