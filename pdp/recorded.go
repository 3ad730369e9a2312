package pdp

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/menshen-zt/menshen/pdp/recorded"
	"github.com/menshen-zt/menshen/pdp/seal"
	"github.com/menshen-zt/menshen/pdp/store"
)

// Bounds of audit.inputs_days: two periods of their keys, ten years.
const (
	minInputsDays = 60
	maxInputsDays = 3660
)

func newInputs(c AuditConfig, s store.Store, key [32]byte) (*recorded.Keeper, error) {
	return recorded.New(recorded.Config{
		Store: s, Sealer: seal.New(key), Clock: time.Now, Random: rand.Reader, Keep: time.Duration(c.InputsDays) * day,
	})
}

// wireHistory opens what was decided and the policy sets that decide: each
// looks at the other, a replay for the set of its version, a what-if for the
// decisions of the last days.
func (p *PDP) wireHistory(ctx context.Context) (err error) {
	if p.inputs, err = newInputs(p.config.Audit, p.state.store, p.state.ring.Seal); err != nil {
		return err
	}
	p.history = &history{dir: auditDir(p.config), inputs: p.inputs}
	if p.policies, err = newPolicies(ctx, p.config.Policy, p.state, p.history.Decisions, p.logger.With("part", "policy")); err != nil {
		return err
	}
	p.engine = &engine{sets: p.policies, beside: p.situation.compare}
	p.history.policyOf, p.history.inForce = p.engine.policyOf, p.engine.inForce
	return nil
}
