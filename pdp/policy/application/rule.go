package application

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"regexp"
	"unicode/utf8"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"

	"github.com/menshen-zt/menshen/pdp/policy"
)

// rule is one policy with its annotations.
type rule struct {
	id     cedar.PolicyID
	policy *cedar.Policy
	file   string
	line   int
	texts  map[string]string // the application's own words, by language
}

var idShape = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// maxText bounds an application's own words, in characters.
const maxText = 300

func (a *Application) readPolicies(names []string, files map[string][]byte, c *checked) error {
	seen := map[cedar.PolicyID]string{}
	for _, name := range names {
		list, err := cedar.NewPolicyListFromBytes(name, files[name])
		if err != nil {
			return syntax(name, err)
		}
		for _, p := range list {
			wrong := func(err error) error {
				return &LoadError{File: name, Line: p.Position().Line, What: string(p.Annotations()["id"]), Err: err}
			}
			if a.policies++; a.policies > MaxPolicies {
				return wrong(fmt.Errorf("more than %d policies", MaxPolicies))
			}
			r, err := newRule(p)
			if err == nil {
				err = c.validator.Policy("", (*ast.Policy)(p.AST()))
			}
			if err != nil {
				return wrong(err)
			}
			if other, twice := seen[r.id]; twice {
				return wrong(errors.New("this @id stands in " + other + " already"))
			}
			seen[r.id] = name
			r.file, r.line = name, p.Position().Line
			if err := a.addRule(r); err != nil {
				return wrong(err)
			}
		}
	}
	return nil
}

func syntax(name string, err error) error {
	err = policy.SyntaxError(name, err)
	var at *policy.LoadError
	if errors.As(err, &at) {
		return &LoadError{File: name, Line: at.Line, Err: at.Err}
	}
	return &LoadError{File: name, Err: err}
}

func newRule(p *cedar.Policy) (r rule, err error) {
	r = rule{policy: p}
	texts := map[string]string{}
	for key, value := range p.Annotations() {
		switch key {
		case "id":
			r.id = cedar.PolicyID(value)
		case "reason_en":
			texts["en"] = string(value)
		case "reason_zh":
			texts["zh-TW"] = string(value)
		default:
			return r, fmt.Errorf("unknown annotation @%s", string(key))
		}
	}
	switch {
	case !idShape.MatchString(string(r.id)):
		return r, errors.New("every policy needs an @id of letters, digits, dots, hyphens and underscores")
	case len(texts) == 0:
		return r, nil
	case p.Effect() == cedar.Permit:
		return r, errors.New("@reason_en and @reason_zh belong to a forbid")
	case texts["en"] == "" || texts["zh-TW"] == "":
		return r, errors.New("@reason_en and @reason_zh come together: people read one or the other")
	case utf8.RuneCountInString(texts["en"]) > maxText, utf8.RuneCountInString(texts["zh-TW"]) > maxText:
		return r, fmt.Errorf("a reason has more than %d characters", maxText)
	}
	r.texts = texts
	return r, nil
}

// addRule puts a rule where the actions that its scope names will find it. A
// rule whose scope does not match has neither an effect nor an error in Cedar,
// so leaving it out changes nothing.
func (a *Application) addRule(r rule) error {
	scope := (*ast.Policy)(r.policy.AST()).Action
	for _, act := range a.actions {
		if concerns(scope, act.ancestors) {
			act.rules = append(act.rules, r)
		}
	}
	// Cedar's JSON form has no second way to write a name, so that a policy
	// that looks at the facts is seen, however its text spells it.
	form, err := r.policy.MarshalJSON()
	if err != nil {
		return err
	}
	a.asks = a.asks || bytes.Contains(form, []byte(contextMenshen))
	return nil
}

func concerns(scope ast.IsActionScopeNode, ancestors map[types.EntityUID]bool) bool {
	switch s := scope.(type) {
	case ast.ScopeTypeEq:
		return ancestors[s.Entity]
	case ast.ScopeTypeIn:
		return ancestors[s.Entity]
	case ast.ScopeTypeInSet:
		for _, uid := range s.Entities {
			if ancestors[uid] {
				return true
			}
		}
		return false
	default:
		return true
	}
}

// Place returns the file and the line that a policy begins at, by its @id; an
// empty file where there is no such policy.
func (a *Application) Place(id string) (file string, line int) {
	for _, act := range a.actions {
		for i := range act.rules {
			if string(act.rules[i].id) == id {
				return act.rules[i].file, act.rules[i].line
			}
		}
	}
	return "", 0
}

// All implements cedar.PolicyIterator.
func (a *action) All() iter.Seq2[cedar.PolicyID, *cedar.Policy] {
	return func(yield func(cedar.PolicyID, *cedar.Policy) bool) {
		for i := range a.rules {
			if !yield(a.rules[i].id, a.rules[i].policy) {
				return
			}
		}
	}
}
