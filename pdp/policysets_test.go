package pdp

import (
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/policy"
	"github.com/menshen-zt/menshen/pdp/store"
)

// activated has two officers put the baseline with one more file in force.
func (s *scene) activated(text string) {
	s.t.Helper()
	files := policy.Baseline()
	files["90-more.cedar"] = []byte(text)
	ctx, sets := s.t.Context(), s.pdp.policies
	set, err := sets.Submit(ctx, files, "", "uid:1")
	s.must(err)
	_, err = sets.Stage(ctx, set.Version, "uid:1")
	s.must(err)
	for _, by := range []string{"uid:1", "uid:2"} {
		_, err = sets.Activate(ctx, set.Version, set.Version, by)
		s.must(err)
	}
}

// TestAnotherPolicyIsFeltAtTheNextRequest (requirements 19), and so is its
// coming back.
func TestAnotherPolicyIsFeltAtTheNextRequest(t *testing.T) {
	s := newScene(t, wire.PortalNormal, wire.ProvenanceTPM)
	s.wants("")
	s.activated(`@id("more.nobody") @reason("ZT-POL-010") forbid (principal, action, resource);`)
	s.wants(reason.PersonNotActive)
	for _, by := range []string{"uid:1", "uid:2"} {
		_, err := s.pdp.policies.Rollback(t.Context(), "", by)
		s.must(err)
	}
	s.wants("")
}

// TestWithoutATrustedPolicyEverythingIsDenied, with its reason, and the PDP
// lives on: officers must be able to put another in force.
func TestWithoutATrustedPolicyEverythingIsDenied(t *testing.T) {
	s := newScene(t, wire.PortalNormal, wire.ProvenanceTPM)
	s.activated("// nothing more\n")
	s.wants("")
	key := store.Key("policy-activation", "_", "00000000000000000002")
	_, err := s.store.Txn(t.Context(), nil, []store.Op{{Key: key, Value: []byte(`{"v":1,"value":{}}`)}})
	s.must(err)
	s.reopenPolicies()
	s.wants(reason.PolicyUntrusted)
	if version, n := s.pdp.policyInForce(); version != "" || n != 0 || s.pdp.lookAtPolicy(t.Context()) == nil {
		t.Error("without a policy the PDP is taken for ready")
	}
	if _, err := (adminPolicies{s.pdp.policies}).Policy(t.Context()); err == nil {
		t.Error("a set is shown as in force")
	}
}

// TestDecisionsReachTheShadow with their ids.
func TestDecisionsReachTheShadow(t *testing.T) {
	s := newScene(t, wire.PortalNormal, wire.ProvenanceTPM)
	files := policy.Baseline()
	files["90-more.cedar"] = []byte(`@id("more.nobody") @reason("ZT-POL-010") forbid (principal, action, resource);`)
	ctx, sets := t.Context(), s.pdp.policies
	set, err := sets.Submit(ctx, files, "", "uid:1")
	s.must(err)
	_, err = sets.Stage(ctx, set.Version, "uid:1")
	s.must(err)
	_, err = sets.Shadow(ctx, set.Version, "uid:1")
	s.must(err)
	go sets.Run(ctx)
	s.wants("")
	for {
		report, err := sets.ShadowReport()
		s.must(err)
		if len(report.Differences) == 0 {
			continue
		}
		d := report.Differences[0]
		if d.Was != wire.AnswerAllow || d.Now != wire.AnswerDeny || len(d.Examples) != 1 || wire.CheckID(wire.PrefixDecision, d.Examples[0]) != nil {
			t.Errorf("%+v", d)
		}
		return
	}
}

// TestTheActivePolicyIsShown, and another is checked.
func TestTheActivePolicyIsShown(t *testing.T) {
	s := newScene(t, wire.PortalNormal, wire.ProvenanceTPM)
	a := adminPolicies{s.pdp.policies}
	p, err := a.Policy(t.Context())
	version, n := s.pdp.policyInForce()
	if version != p.Version || n < 10 || s.pdp.lookAtPolicy(t.Context()) != nil {
		t.Errorf("%s in force, %d policies", version, n)
	}
	if err != nil || p.Version != s.pdp.policies.Active().Version() || len(p.Files) != len(policy.Baseline()) {
		t.Errorf("%s, %d files, %v", p.Version, len(p.Files), err)
	}
	if c := a.CheckPolicy(t.Context(), p.Files); c.Version != p.Version || c.Problem != "" {
		t.Errorf("%+v", c)
	}
	if c := a.CheckPolicy(t.Context(), map[string]string{"a.cedar": "permit"}); c.Problem == "" {
		t.Errorf("%+v", c)
	}
}

// TestWhatIfReplaysWhatWasRecorded: from the audit log, by the sealed inputs of
// each decision (requirements 13).
func TestWhatIfReplaysWhatWasRecorded(t *testing.T) {
	s, allowed, _ := taken(t)
	ctx, sets := t.Context(), s.pdp.policies
	files := policy.Baseline()
	files["90-more.cedar"] = []byte(`@id("more.old") @reason("ZT-POL-012") forbid (principal, action, resource) when { context.trust.score < 95 };`)
	whatIf := func() wire.PolicyWhatIf {
		t.Helper()
		r, err := sets.WhatIf(ctx, files, 1, "", func(uint64, time.Time) {})
		s.must(err)
		return r
	}
	r := whatIf()
	if r.Decisions != 2 || r.People != 1 || r.Losing.People != 1 || r.OtherVersions != 0 || len(r.Failures) != 0 || r.Truncated.Code != "" {
		t.Fatalf("%+v", r)
	}
	lost := r.Losing.Examples[0]
	if lost.Decision != allowed.ID || lost.Person != s.person.ID || lost.Portal != s.portal.ID || lost.Was != wire.AnswerAllow || lost.Now != wire.AnswerDeny || lost.Reasons[0] != reason.SignInTooOld {
		t.Errorf("%+v", lost)
	}
	// The draft would have let nobody in; what was so is unchanged.
	s.replays(allowed.ID, "")
	_, err := s.pdp.inputs.Erase(ctx, s.person.ID, []string{"moda", "nstc"})
	s.must(err)
	r = whatIf()
	if r.Decisions != 0 || r.Losing.People != 0 || len(r.Failures) != 1 || r.Failures[0].Why.Code != reason.InputsErased || r.Failures[0].Count != 2 {
		t.Errorf("%+v", r)
	}
}

// TestReplayUnderASupersededSet: what decided once is kept for good.
func TestReplayUnderASupersededSet(t *testing.T) {
	s, allowed, denied := taken(t)
	s.activated(`@id("more.nobody") @reason("ZT-POL-010") forbid (principal, action, resource);`)
	s.replays(allowed.ID, "")
	s.reopenPolicies()
	s.replays(denied.ID, "")
}
