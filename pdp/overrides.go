package pdp

import (
	"context"
	"fmt"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
	"github.com/menshen-zt/menshen/pdp/trust"
	"github.com/menshen-zt/menshen/pdp/trust/override"
)

func subjectOf(s *trust.Situation) override.Subject {
	return override.Subject{Person: s.PersonID, Device: s.DeviceID, Session: s.SessionID}
}

// muted is what officers found harmless in a situation.
func (s *situation) muted(of trust.Situation, at time.Time) (m trust.Muting) {
	m.Codes, m.IDs, m.Until = s.overrides.Muted(subjectOf(&of), of.PortalAgency, at)
	return m
}

// failedSignIn passes a refused sign-in on, once there is anybody to tell.
func (p *PDP) failedSignIn(f wire.FailedSignIn) {
	if p.situation != nil {
		p.situation.trust.Failed(f)
	}
}

// usedAgain tells the inference how often a session was used.
func (p *PDP) usedAgain(sessionID string, action wire.Action, uses uint64) {
	p.situation.trust.Used(sessionID, action, uses)
}

// overrideChanged has the sessions that an officer spoke of decided anew.
func (p *PDP) overrideChanged(o wire.TrustOverride) {
	switch {
	case o.Person != "":
		p.sessions.PersonChanged(o.Person)
	case o.Device != "":
		p.sessions.DeviceChanged(o.Device)
	default:
		p.sessions.TrustChanged(o.Session)
	}
}

// adminTrust is what administration sees of trust.
type adminTrust struct{ *PDP }

// Override implements admin.Trust. Its subject must be the agency's (invariant 5).
func (a adminTrust) Override(ctx context.Context, o wire.TrustOverride, by string) (wire.TrustOverride, error) {
	if o.Session != "" {
		person := ""
		for _, i := range a.sessions.Sessions("") {
			if i.ID == o.Session {
				person = i.Person
			}
		}
		whose, err := a.names.Person(ctx, person)
		if err != nil || person == "" || whose.Agency != o.Agency {
			return wire.TrustOverride{}, fmt.Errorf("pdp: session: %w", store.ErrNotFound)
		}
	}
	return a.situation.overrides.Add(ctx, o, by)
}

// Lift implements admin.Trust.
func (a adminTrust) Lift(ctx context.Context, agency, id string) (wire.TrustOverride, error) {
	return a.situation.overrides.Lift(ctx, agency, id)
}

// Overrides implements admin.Trust.
func (a adminTrust) Overrides(agency string) []wire.TrustOverride {
	return a.situation.overrides.List(agency)
}

// Assessments implements admin.Trust.
func (a adminTrust) Assessments(personID string) map[string]wire.TrustAssessment {
	all := map[string]wire.TrustAssessment{}
	for _, i := range a.sessions.Sessions(personID) {
		s := a.situation.trust.Current(i.ID)
		s.Latched = a.situation.overrides.Latched(override.Subject{Person: i.Person, Device: i.Device, Session: i.ID})
		all[i.ID] = s
	}
	return all
}

// Observations implements admin.Trust.
func (a adminTrust) Observations(ctx context.Context, since time.Time, each func(wire.Observation) error) error {
	return a.situation.history.Each(ctx, since, each)
}

// Judge implements admin.Trust. A decision is named; the sign-in that it rests
// on is meant.
func (a adminTrust) Judge(ctx context.Context, decision string, genuine bool) error {
	person, signIn, err := a.history.signInOf(decision)
	if err != nil {
		return err
	}
	return a.situation.trust.Judge(ctx, person, signIn, genuine)
}
