package policy

import (
	"errors"
	"fmt"
	"iter"
	"regexp"
	"slices"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"

	"github.com/menshen-zt/menshen/internal/wire"
)

// rule is one policy with what its annotations say.
type rule struct {
	id       string
	file     string
	line     int
	policy   *cedar.Policy
	reason   string
	claim    wire.ClaimID
	findings bool
	remedy   string
	reads    reads
}

var (
	idShape = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,99}$`)
	// remedies are the actions that wire.Remedy knows.
	remedies = [...]string{"fix-claim", "sign-in", "attest", "register-key", "ask-admin", "wait"}
)

func newRule(p *cedar.Policy, codes map[string]bool) (*rule, error) {
	r := &rule{policy: p, line: p.Position().Line, reads: readsOf(p)}
	for key, value := range p.Annotations() {
		switch key {
		case "id":
			r.id = string(value)
		case "reason":
			r.reason = string(value)
		case "claim":
			r.claim = wire.ClaimID(value)
		case "findings":
			if value != "device" {
				return nil, fmt.Errorf("@findings(%q): only \"device\" is known", string(value))
			}
			r.findings = true
		case "remedy":
			r.remedy = string(value)
		default:
			return nil, fmt.Errorf("unknown annotation @%s", string(key))
		}
	}
	return r, r.check(codes)
}

func (r *rule) check(codes map[string]bool) error {
	switch {
	case !idShape.MatchString(r.id):
		return errors.New("every policy needs an @id of lower-case letters, digits, dots and hyphens")
	case r.policy.Effect() == cedar.Permit && (r.reason != "" || r.remedy != "" || r.claim != "" || r.findings):
		return errors.New("@reason, @claim, @findings and @remedy belong to a forbid")
	case r.policy.Effect() == cedar.Permit:
		return nil
	case r.reason == "":
		return errors.New("a forbid needs a @reason: a person must be told why")
	case !codes[r.reason]:
		return fmt.Errorf("@reason(%q) is a code without a text", r.reason)
	case r.claim != "" && !slices.ContainsFunc(claims[:], func(c claim) bool { return c.id == r.claim }):
		return fmt.Errorf("@claim(%q) is no claim that agents measure", r.claim)
	case r.remedy != "" && !slices.Contains(remedies[:], r.remedy):
		return fmt.Errorf("@remedy(%q) is none of %q", r.remedy, remedies)
	}
	return nil
}

// index holds the rules by what their scopes name, so that a large set, where
// most policies name one portal, costs a request only what can concern it. A
// rule whose scope does not match has neither an effect nor an error in Cedar,
// so leaving it out changes nothing.
type index struct {
	byAction map[wire.Action]*actionRules
	byID     map[cedar.PolicyID]*rule
	size     int
}

type actionRules struct {
	general  []*rule
	byPortal map[types.String][]*rule
}

var actions = [...]wire.Action{wire.ActionRead, wire.ActionWrite, wire.ActionAdmin}

func newIndex(rules []*rule) index {
	x := index{
		byAction: make(map[wire.Action]*actionRules, len(actions)),
		byID:     make(map[cedar.PolicyID]*rule, len(rules)),
		size:     len(rules),
	}
	for _, a := range actions {
		x.byAction[a] = &actionRules{byPortal: map[types.String][]*rule{}}
	}
	for _, r := range rules {
		x.byID[cedar.PolicyID(r.id)] = r
		tree := (*ast.Policy)(r.policy.AST())
		portal, one := tree.Resource.(ast.ScopeTypeEq)
		for a, list := range x.byAction {
			switch {
			case !concerns(tree.Action, a):
			case one:
				list.byPortal[portal.Entity.ID] = append(list.byPortal[portal.Entity.ID], r)
			default:
				list.general = append(list.general, r)
			}
		}
	}
	return x
}

// concerns reports whether an action scope can match a. Actions have no
// parents in the schema, so "in" is equality.
func concerns(scope ast.IsActionScopeNode, a wire.Action) bool {
	uid := actionUID(a)
	switch s := scope.(type) {
	case ast.ScopeTypeEq:
		return s.Entity == uid
	case ast.ScopeTypeIn:
		return s.Entity == uid
	case ast.ScopeTypeInSet:
		return slices.Contains(s.Entities, uid)
	default:
		return true
	}
}

// selection is the part of an index that can concern one request.
type selection struct {
	general, portal []*rule
}

func (x *index) selectFor(a wire.Action, portal types.String) (selection, bool) {
	list, ok := x.byAction[a]
	if !ok {
		return selection{}, false
	}
	return selection{general: list.general, portal: list.byPortal[portal]}, true
}

// permits are the rules that could permit such a request.
func (x *index) permits(a wire.Action, portal string) iter.Seq[*rule] {
	return func(yield func(*rule) bool) {
		selected, _ := x.selectFor(a, types.String(portal))
		for _, list := range [...][]*rule{selected.general, selected.portal} {
			for _, r := range list {
				if r.policy.Effect() == cedar.Permit && !yield(r) {
					return
				}
			}
		}
	}
}

// All implements cedar.PolicyIterator.
func (s selection) All() iter.Seq2[cedar.PolicyID, *cedar.Policy] {
	return func(yield func(cedar.PolicyID, *cedar.Policy) bool) {
		for _, list := range [...][]*rule{s.general, s.portal} {
			for _, r := range list {
				if !yield(cedar.PolicyID(r.id), r.policy) {
					return
				}
			}
		}
	}
}
