package pdp

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/menshen-zt/menshen/pdp/admin/client"
	"github.com/menshen-zt/menshen/pdp/policy"
	"github.com/menshen-zt/menshen/pdp/policyset"
)

// policySource returns the access policy that the configuration names.
func policySource(c PolicyConfig) (map[string][]byte, error) {
	if c.Folder == "" {
		return policy.Baseline(), nil
	}
	return policyFiles(c.Folder)
}

func loadPolicy(files map[string][]byte) (policyset.Evaluator, error) {
	set, err := policy.Load(files)
	if err != nil {
		return nil, err
	}
	return set, nil
}

// newPolicies keeps the policy sets, and says which is in force: the configured
// one until officers activate another. A what-if tries drafts on recorded.
func newPolicies(ctx context.Context, c PolicyConfig, s *state, recorded policyset.Source, logger *slog.Logger) (*policyset.Keeper, error) {
	files, err := policySource(c)
	if err != nil {
		return nil, err
	}
	approval, err := s.ring.Approval()
	if err != nil {
		return nil, err
	}
	sets, err := policyset.New(ctx, policyset.Config{
		Store: s.store, Load: loadPolicy, Configured: files, Approval: approval, Approvers: c.Approvers, ConfirmAbove: c.ConfirmAbove,
		Recorder: s.log, Recorded: recorded, Clock: time.Now, Logger: logger,
	})
	if err == nil && c.Folder != "" && !sets.ConfiguredInForce() {
		logger.Warn("policy.folder is not in force: officers activated another set", "folder", c.Folder)
	}
	return sets, err
}

// validatePolicy checks the access policy that the configuration names.
func validatePolicy(c PolicyConfig) error {
	files, err := policySource(c)
	if err != nil {
		return err
	}
	_, err = loadPolicy(files)
	return err
}

// adminPolicies is what administration sees of the policy sets.
type adminPolicies struct{ *policyset.Keeper }

// Policy implements admin.Policies.
func (p adminPolicies) Policy(context.Context) (client.Policy, error) {
	version, files := p.ActiveFiles()
	if version == "" {
		return client.Policy{}, &policyset.Refusal{Why: p.Problem()}
	}
	shown := client.Policy{Version: version, Files: make(map[string]string, len(files))}
	for name, text := range files {
		shown.Files[name] = string(text)
	}
	return shown, nil
}

// CheckPolicy implements admin.Policies.
func (adminPolicies) CheckPolicy(_ context.Context, files map[string]string) client.PolicyChecked {
	e, err := policy.Load(client.RawFiles(files))
	if err != nil {
		return client.PolicyChecked{Problem: err.Error()}
	}
	return client.PolicyChecked{Version: e.Version()}
}

// policyInForce is the version in force and how many policies it holds; nothing
// where no set is.
func (p *PDP) policyInForce() (version string, policies int) {
	set := p.policies.Active()
	if set == nil {
		return "", 0
	}
	return set.Version(), set.Policies()
}

var errNoPolicy = errors.New("no access policy is in force: what officers activated cannot be trusted")

func (p *PDP) lookAtPolicy(context.Context) error {
	if p.policies.Active() == nil {
		return errNoPolicy
	}
	return nil
}
