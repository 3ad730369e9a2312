package policy

import (
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/eval"

	"github.com/menshen-zt/menshen/internal/wire"
)

// rule is one policy with what its annotations say.
type rule struct {
	id     string
	file   string
	line   int
	order  int // in the set
	policy *cedar.Policy
	// anyAction is the policy without its action scope, which the index has
	// asked already.
	anyAction *cedar.Policy
	reason    string
	claim     wire.ClaimID
	findings  bool
	remedy    string
	reads     reads
}

var (
	idShape = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,99}$`)
	// remedies are the actions that wire.Remedy knows.
	remedies = [...]string{"fix-claim", "sign-in", "attest", "register-key", "ask-admin", "wait"}
)

func newRule(p *cedar.Policy, codes map[string]bool) (*rule, error) {
	r := &rule{policy: p, anyAction: withoutAction(p), line: p.Position().Line, reads: readsOf(p)}
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

// withoutAction returns the policy as it is for every action: Cedar builds the
// set of an action scope anew for each evaluation.
func withoutAction(p *cedar.Policy) *cedar.Policy {
	tree := *p.AST()
	tree.Action = ast.Scope{}.All()
	return cedar.NewPolicyFromAST(&tree)
}

// neverApplies reports whether the policy is false for every action, whoever
// asks for whatever.
func (r *rule) neverApplies() bool {
	for _, a := range actions {
		env := eval.Env{
			Principal: eval.Variable("principal"), Action: actionUID(a), Resource: eval.Variable("resource"), Context: eval.Variable("context"),
			Entities: types.EntityMap{},
		}
		if _, kept := eval.PartialPolicy(env, (*ast.Policy)(r.policy.AST())); kept {
			return false
		}
	}
	return true
}
