package pdp

import (
	"context"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/facts"
	"github.com/menshen-zt/menshen/pdp/policyset"
	"github.com/menshen-zt/menshen/pdp/session"
)

// engine is the PE as sessions ask it: the facts of now, judged by the policy
// set in force.
type engine struct {
	facts *facts.Assembler
	sets  *policyset.Keeper
	// beside, if there is one, is shown each judgement, to hold it against what
	// is tried.
	beside func(sessionID string, by judgement, known wire.Facts, d *wire.Decision)
}

// judgement is a policy set in force.
type judgement interface {
	Decide(wire.Facts, wire.Action, time.Time) wire.Decision
}

// Decide implements session.Engine.
func (e *engine) Decide(ctx context.Context, s session.Subject, action wire.Action) (wire.Facts, wire.Decision, error) {
	known, err := e.facts.Assemble(ctx, facts.Subject{
		SessionID: s.Session, SignIn: s.SignIn, Binding: s.Binding, PortalID: s.Portal,
		Address: s.Address, Action: action, Network: s.Network.Network, NetworkProven: s.Network.Proven,
		Request: s.Request,
	})
	if err != nil {
		return wire.Facts{}, wire.Decision{}, err
	}
	set := e.sets.Active()
	if set == nil {
		return known, withoutPolicy(e.sets.Problem(), known, action), nil
	}
	d := set.Decide(known, action, known.At)
	if e.beside != nil {
		e.beside(s.Session, set, known, &d)
	}
	return known, d, nil
}

// withoutPolicy is the decision where no policy set can be trusted. It names no
// version.
func withoutPolicy(why wire.Reason, known wire.Facts, action wire.Action) wire.Decision {
	return wire.Decision{
		Effect: wire.Deny, Action: action, At: known.At,
		Reasons: []wire.Reason{why}, Remedies: []wire.Remedy{{Reason: why, Action: "ask-admin"}},
	}
}
