package pdp

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/menshen-zt/menshen/internal/admission"
	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/appeal"
	"github.com/menshen-zt/menshen/pdp/audit"
	"github.com/menshen-zt/menshen/pdp/store"
)

// Bounds of a person's own page: how many decisions it shows, and how much of
// the log is read for them.
const (
	personalDecisions = 50
	personalLog       = 256 << 20
	maxAppealBody     = 8 << 10
)

func (p *PDP) wireAppeals(ctx context.Context) (err error) {
	p.appeals, err = appeal.New(ctx, appeal.Config{
		Store: p.state.store, Decided: p.history.decided, Clock: time.Now, Random: rand.Reader,
		NotMe: func(ctx context.Context, person, _ string) error {
			// Whoever else holds a sign-in of this person would only open another session.
			_, err := adminSessions{p.sessions, p.names}.RevokePerson(ctx, person)
			return err
		},
	})
	return err
}

// decided implements appeal.Config.Decided.
func (h *history) decided(id string) (agency, subject, session string, err error) {
	if wire.CheckID(wire.PrefixDecision, id) != nil {
		return "", "", "", store.ErrNotFound
	}
	r, _, err := h.taken(id)
	return r.Agency, r.Subject, r.Session, err
}

// personal is what the person behind a request is shown of themselves.
func (p *PDP) personal(ctx context.Context, r *http.Request) (out wire.Personal, known bool, err error) {
	person, signIn, known, err := p.people.Visitor(r)
	if err != nil || !known {
		return wire.Personal{}, false, err
	}
	leave, err := p.visits.enter(ctx, person, signIn)
	if err != nil {
		return wire.Personal{}, true, err
	}
	defer leave()
	out = wire.Personal{Person: person, SignedInAt: signIn.At, Appeals: p.appeals.Of(person.ID)}
	agency, err := p.names.Agency(ctx, person.Agency)
	if err != nil {
		return out, true, err
	}
	out.AgencyZH, out.AgencyEN = agency.NameZH, agency.NameEN
	keys, err := p.names.Keys(ctx, person.ID)
	if err != nil {
		return out, true, err
	}
	for _, k := range keys {
		out.Keys = append(out.Keys, wire.PersonalKey{
			Nickname: k.Nickname, Model: k.Model, AddedAt: k.AddedAt, LastUsedAt: k.LastUsedAt, Revoked: k.Revoked, Here: k.ID == signIn.KeyID,
		})
	}
	return out, true, p.personalHistory(ctx, &out)
}

// personalHistory fills in the decisions, and the laptops that they came from.
func (p *PDP) personalHistory(ctx context.Context, out *wire.Personal) error {
	entries, all, err := audit.Latest(p.history.dir, wire.AuditDecision, out.Person.ID, personalDecisions, personalLog)
	if err != nil {
		return err
	}
	out.Partial = !all
	names := namesOf{p: p, portals: map[string]wire.Portal{}, devices: map[string]wire.Device{}}
	for i := range entries {
		d, err := names.decision(ctx, &entries[i].Record)
		if err != nil {
			return err
		}
		for _, a := range out.Appeals {
			if a.Decision == d.ID && d.Appealed != wire.AppealNotMe {
				d.Appealed = a.Kind
			}
		}
		out.Decisions = append(out.Decisions, d)
	}
	if err := names.owned(ctx, out.Person); err != nil {
		return err
	}
	for _, dev := range names.devices {
		out.Devices = append(out.Devices, p.personalDevice(dev, names.latest))
	}
	slices.SortFunc(out.Devices, func(a, b wire.PersonalDevice) int {
		if a.Here != b.Here {
			if a.Here {
				return -1
			}
			return 1
		}
		return b.EvidenceAt.Compare(a.EvidenceAt)
	})
	return nil
}

func (p *PDP) personalDevice(dev wire.Device, latest string) wire.PersonalDevice {
	standing := p.appraisal.Standing(dev.ID)
	out := wire.PersonalDevice{Name: dev.Name, Standing: standing.Standing, EvidenceAt: standing.Result.IssuedAt, Here: dev.ID == latest}
	for _, c := range standing.Result.Claims {
		switch c.State {
		case wire.ClaimPass, wire.ClaimNotApplicable, wire.ClaimException:
		default: // failed, or not measured: never a pass
			out.Failing++
		}
	}
	return out
}

// namesOf looks names up once.
type namesOf struct {
	p       *PDP
	portals map[string]wire.Portal
	devices map[string]wire.Device
	latest  string // the device of the latest decision
}

func (n *namesOf) decision(ctx context.Context, r *wire.AuditRecord) (wire.PersonalDecision, error) {
	var d wire.Decision
	detail := wire.DecisionDetail{Decision: &d}
	if err := json.Unmarshal(r.Detail, &detail); err != nil {
		return wire.PersonalDecision{}, err
	}
	out := wire.PersonalDecision{
		ID: r.Decision, At: r.At, Network: detail.Network, Effect: d.Effect, ReadOnly: d.Obligations.ReadOnly, Action: d.Action,
		Policy: d.PolicyVersion, Reasons: d.Reasons, Trust: detail.Trust,
	}
	portal, known := n.portals[r.Portal]
	if !known {
		var err error
		if portal, err = n.p.names.Portal(ctx, r.Portal); err != nil && !errors.Is(err, store.ErrNotFound) {
			return out, err
		}
		portal.ID = r.Portal // one that is gone is called by its id
		n.portals[r.Portal] = portal
	}
	out.Portal = portal
	dev, err := n.device(ctx, r.Device)
	if n.latest == "" {
		n.latest = r.Device
	}
	out.Device = dev.Name
	return out, err
}

func (n *namesOf) device(ctx context.Context, id string) (wire.Device, error) {
	if dev, known := n.devices[id]; known || id == "" {
		return dev, nil
	}
	dev, err := n.p.names.Device(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return wire.Device{}, nil
	}
	if err == nil {
		n.devices[id] = dev
	}
	return dev, err
}

// owned adds the laptops that were given to the person.
func (n *namesOf) owned(ctx context.Context, person wire.Person) error {
	devices, err := n.p.names.Devices(ctx, person.Agency)
	for _, dev := range devices {
		if dev.Owner == person.ID && dev.Status != wire.DeviceRetired {
			n.devices[dev.ID] = dev
		}
	}
	return err
}

// fileAppeal answers POST /me/appeals {decision, kind, text} → {id}. Slow
// senders wait at their own cost: a turn is taken for what was read.
func (p *PDP) fileAppeal(w http.ResponseWriter, r *http.Request, person wire.Person, signIn wire.SignIn) {
	var in struct {
		Decision string          `json:"decision"`
		Kind     wire.AppealKind `json:"kind"`
		Text     string          `json:"text"`
	}
	if !problem.ReadJSON(w, r, maxAppealBody, &in) {
		return
	}
	// A browser that goes away leaves no half of it.
	ctx := context.WithoutCancel(r.Context())
	made, err := p.takeAppeal(ctx, person, signIn, in.Decision, in.Kind, in.Text)
	var refused interface {
		Status() int
		Reason() wire.Reason
	}
	switch {
	case errors.As(err, &refused):
		if refused.Status() == http.StatusServiceUnavailable {
			admission.Busy(w.Header())
		}
		problem.Write(w, r, refused.Status(), refused.Reason())
	case err != nil:
		p.logger.Error("an appeal is not kept", "decision", in.Decision, "error", err)
		problem.Write(w, r, http.StatusServiceUnavailable, reason.New(reason.Unavailable))
	default:
		problem.WriteJSON(w, r, map[string]string{"id": made.ID})
	}
}

// takeAppeal reads the log for the decision that is meant: in its turn.
func (p *PDP) takeAppeal(ctx context.Context, person wire.Person, signIn wire.SignIn, decision string, kind wire.AppealKind, text string) (made wire.Appeal, err error) {
	leave, err := p.visits.enter(ctx, person, signIn)
	if err != nil {
		return made, err
	}
	defer leave()
	if made, err = p.appeals.File(ctx, person.ID, decision, kind, text); err != nil {
		return made, err
	}
	return made, p.recordAppeal(ctx, made)
}

// recordAppeal writes who objected to what; the words stay where they can be erased.
func (p *PDP) recordAppeal(ctx context.Context, a wire.Appeal) error {
	detail, err := json.Marshal(map[string]string{"event": "appeal", "appeal": a.ID, "kind": string(a.Kind)})
	if err != nil {
		return err
	}
	_, err = p.state.log.Append(ctx, wire.AuditRecord{
		Kind: wire.AuditSystem, At: a.At, Agency: a.Agency, Subject: a.Person, Decision: a.Decision, Detail: detail,
	})
	return err
}
