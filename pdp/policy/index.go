package policy

import (
	"iter"
	"maps"
	"slices"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"

	"github.com/menshen-zt/menshen/internal/wire"
)

// index holds the rules by what their scopes name, so that a large set, where
// most policies name one portal, group or agency, costs a request only what can
// concern it. A rule whose scope does not match has neither an effect nor an
// error in Cedar, so leaving it out changes nothing.
type index struct {
	byAction map[wire.Action]*shelf
	byID     map[cedar.PolicyID]*rule
	size     int
}

// shelf holds the rules of one action by principal, and there by resource. The
// zero entity stands for a scope that names none.
type shelf struct {
	byPrincipal map[types.EntityUID]byResource
	// principals and resources say that any scope names one.
	principals, resources bool
}

type byResource map[types.EntityUID][]*rule

var actions = [...]wire.Action{wire.ActionRead, wire.ActionWrite, wire.ActionAdmin}

func newIndex(rules []*rule) index {
	x := index{
		byAction: make(map[wire.Action]*shelf, len(actions)),
		byID:     make(map[cedar.PolicyID]*rule, len(rules)),
		size:     len(rules),
	}
	for _, a := range actions {
		x.byAction[a] = &shelf{byPrincipal: map[types.EntityUID]byResource{}}
	}
	for i, r := range rules {
		r.order = i
		x.byID[cedar.PolicyID(r.id)] = r
		tree := (*ast.Policy)(r.policy.AST())
		for a, s := range x.byAction {
			if concerns(tree.Action, a) {
				s.add(named(tree.Principal), named(tree.Resource), r)
			}
		}
	}
	return x
}

func (s *shelf) add(principal, resource types.EntityUID, r *rule) {
	resources := s.byPrincipal[principal]
	if resources == nil {
		resources = byResource{}
		s.byPrincipal[principal] = resources
	}
	resources[resource] = append(resources[resource], r)
	s.principals = s.principals || !principal.IsZero()
	s.resources = s.resources || !resource.IsZero()
}

// named returns the one entity that a scope can match, itself or as a parent;
// zero where it is not one.
func named(scope any) types.EntityUID {
	switch s := scope.(type) {
	case ast.ScopeTypeEq:
		return s.Entity
	case ast.ScopeTypeIn:
		return s.Entity
	case ast.ScopeTypeIsIn:
		return s.Entity
	}
	return types.EntityUID{}
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
type selection [][]*rule

// selectFor returns what can concern a request; false where the action is none.
func (x *index) selectFor(a wire.Action, r *request) (selection, bool) {
	s, known := x.byAction[a]
	if !known {
		return nil, false
	}
	all := s.pick(make(selection, 0, 4), types.EntityUID{}, r)
	if s.principals {
		all = s.pick(all, r.person.UID, r)
		for parent := range r.person.Parents.All() {
			all = s.pick(all, parent, r)
		}
	}
	return all, true
}

func (s *shelf) pick(all selection, principal types.EntityUID, r *request) selection {
	rules, known := s.byPrincipal[principal]
	if !known {
		return all
	}
	all = append(all, rules[types.EntityUID{}])
	if s.resources {
		all = append(all, rules[r.portal.UID])
		for parent := range r.portal.Parents.All() {
			all = append(all, rules[parent])
		}
	}
	return all
}

// All implements cedar.PolicyIterator.
func (s selection) All() iter.Seq2[cedar.PolicyID, *cedar.Policy] {
	return func(yield func(cedar.PolicyID, *cedar.Policy) bool) {
		for _, list := range s {
			for _, r := range list {
				if !yield(cedar.PolicyID(r.id), r.anyAction) {
					return
				}
			}
		}
	}
}

// permits are the rules that could permit such a request.
func (x *index) permits(a wire.Action, r *request) []*rule {
	selected, _ := x.selectFor(a, r)
	return slices.DeleteFunc(slices.Concat(selected...), func(r *rule) bool { return r.policy.Effect() != cedar.Permit })
}

// inOrder are all rules as they stand in the files.
func (x *index) inOrder() []*rule {
	all := slices.Collect(maps.Values(x.byID))
	sortRules(all)
	return all
}
