package pdp

import (
	"context"
	"log/slog"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/directory"
	"github.com/menshen-zt/menshen/pdp/reference"
	"github.com/menshen-zt/menshen/pdp/verifier"
)

// bootPolicy is what the configuration makes of the appraisal policy of boots.
func bootPolicy(c AttestationConfig) verifier.BootPolicy {
	policy := verifier.DefaultBootPolicy()
	policy.DenyUnknown = c.Reference.DenyUnknownEvents
	return policy
}

func newReferences(ctx context.Context, c AttestationConfig, s *state, names *directory.Directory, logger *slog.Logger) (*reference.Keeper, error) {
	approval, err := s.ring.Approval()
	if err != nil {
		return nil, err
	}
	policy := bootPolicy(c)
	return reference.New(ctx, reference.Config{
		Store: s.store, Devices: names, Approval: approval, Approvers: c.Reference.Approvers, Clock: time.Now, Logger: logger,
		Appraise: func(boot wire.Boot, set *wire.ReferenceSet) wire.BootAppraisal {
			return verifier.AppraiseBoot(boot, set, policy)
		},
		Wants: func(pcr int, kind wire.MeasurementKind) bool {
			return policy.Wants(verifier.BootPlace{PCR: pcr, Kind: kind})
		},
	})
}
