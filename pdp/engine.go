package pdp

import (
	"context"
	"sync/atomic"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/facts"
	"github.com/menshen-zt/menshen/pdp/policy"
	"github.com/menshen-zt/menshen/pdp/session"
)

// engine is the PE as sessions ask it: the facts of now, judged by the policy
// set in force.
type engine struct {
	facts  *facts.Assembler
	policy atomic.Pointer[policy.Engine]
}

// Decide implements session.Engine.
func (e *engine) Decide(ctx context.Context, s session.Subject, action wire.Action) (wire.Facts, wire.Decision, error) {
	known, err := e.facts.Assemble(ctx, facts.Subject{
		SessionID: s.Session, SignIn: s.SignIn, Binding: s.Binding, PortalID: s.Portal,
		Network: s.Network.Network, NetworkProven: s.Network.Proven,
		Request: s.Request,
	})
	if err != nil {
		return wire.Facts{}, wire.Decision{}, err
	}
	return known, e.policy.Load().Decide(known, action, known.At), nil
}

// policySource returns the access policy that the configuration names.
func policySource(c PolicyConfig) (map[string][]byte, error) {
	if c.Folder == "" {
		return policy.Baseline(), nil
	}
	return policyFiles(c.Folder)
}

func loadPolicy(c PolicyConfig) (*policy.Engine, error) {
	files, err := policySource(c)
	if err != nil {
		return nil, err
	}
	return policy.Load(files)
}
