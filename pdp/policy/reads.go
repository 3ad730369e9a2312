package policy

import (
	"cmp"
	"maps"
	"strings"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// reads is what policies look at, as far as their text tells. What cannot be
// told counts as everything.
type reads struct {
	// attributes of the context, as "section.attribute", and of the entities, as
	// "principal.attribute" and "resource.attribute". "section.*" is a whole
	// section, "*" is everything.
	attributes map[string]bool
	// ages and minutes are the numbers that ages and the minute of the day are
	// compared with.
	ages, minutes []int64
	// kin says that it is asked what an entity is in.
	kin bool
	// restless says that something that moves with time is not just compared
	// with a number, so that nobody knows when the answer changes.
	restless bool
	// misspelt is the first word that an attribute is compared with and never
	// says.
	misspelt error
}

// attribute reports whether the policies look at an attribute.
func (r *reads) attribute(name string) bool {
	section, _, _ := strings.Cut(name, ".")
	return r.attributes[name] || r.attributes[section+".*"] || r.attributes["*"]
}

// section reports whether they look at anything of a section.
func (r *reads) section(section string) bool {
	for name := range r.attributes {
		if name == "*" || strings.HasPrefix(name, section+".") {
			return true
		}
	}
	return false
}

// add has r look at what other looks at, too.
func (r *reads) add(other *reads) {
	maps.Copy(r.attributes, other.attributes)
	r.ages, r.minutes = append(r.ages, other.ages...), append(r.minutes, other.minutes...)
	r.kin, r.restless = r.kin || other.kin, r.restless || other.restless
}

// readsOfAll are what all the rules of a set look at.
func readsOfAll(rules []*rule) reads {
	all := reads{attributes: map[string]bool{}}
	for _, r := range rules {
		all.add(&r.reads)
	}
	return all
}

func everything() reads {
	return reads{attributes: map[string]bool{"*": true}, kin: true, restless: true}
}

func readsOf(p *cedar.Policy) reads {
	r := reads{attributes: map[string]bool{}}
	r.policy(p)
	return r
}

func (r *reads) policy(p *cedar.Policy) {
	tree := (*ast.Policy)(p.AST())
	r.kin = inScope(tree.Principal) || inScope(tree.Resource)
	for _, condition := range tree.Conditions {
		ast.Inspect(ast.NewNode(condition.Body), r.node)
	}
}

// inScope reports whether a scope asks what an entity is in.
func inScope(scope any) bool {
	switch scope.(type) {
	case ast.ScopeTypeIn, ast.ScopeTypeInSet, ast.ScopeTypeIsIn:
		return true
	}
	return false
}

// node is called for each node, parents first; false leaves its children out.
func (r *reads) node(n ast.IsNode) bool {
	if left, right, is := comparison(n); is {
		r.misspelt = cmp.Or(r.misspelt, spells(left, right), spells(right, left))
		return !r.compares(left, right) && !r.compares(right, left)
	}
	switch t := n.(type) {
	case ast.NodeTypeIn, ast.NodeTypeIsIn:
		r.kin = true
	case ast.NodeTypeAccess:
		return r.looks(t)
	case ast.NodeTypeHas:
		return r.looks(ast.NodeTypeAccess(t))
	case ast.NodeTypeVariable:
		if t.Name == "context" {
			r.attributes["*"], r.restless = true, true
		}
	}
	return true
}

// looks notes what an access reads. Of something that is not named straight
// from a variable it is everything.
func (r *reads) looks(access ast.NodeTypeAccess) (deeper bool) {
	name, is := attribute(access)
	if !is {
		r.attributes["*"] = true
		return true
	}
	r.attributes[name] = true
	r.restless = r.restless || moves(name)
	return false
}

// compares notes a moving attribute that is held against numbers.
func (r *reads) compares(left, right ast.IsNode) bool {
	name, is := attribute(left)
	if !is || !moves(name) {
		return false
	}
	numbers, are := longs(right)
	if !are {
		return false
	}
	r.attributes[name] = true
	switch name {
	case "time.weekday": // changes at midnight alone
	case "time.minuteOfDay":
		r.minutes = append(r.minutes, numbers...)
	default:
		r.ages = append(r.ages, numbers...)
	}
	return true
}

// comparison returns what is compared by a node.
func comparison(n ast.IsNode) (left, right ast.IsNode, is bool) {
	switch t := n.(type) {
	case ast.NodeTypeLessThan:
		return t.Left, t.Right, true
	case ast.NodeTypeLessThanOrEqual:
		return t.Left, t.Right, true
	case ast.NodeTypeGreaterThan:
		return t.Left, t.Right, true
	case ast.NodeTypeGreaterThanOrEqual:
		return t.Left, t.Right, true
	case ast.NodeTypeEquals:
		return t.Left, t.Right, true
	case ast.NodeTypeNotEquals:
		return t.Left, t.Right, true
	case ast.NodeTypeContains:
		return t.Left, t.Right, true
	}
	return nil, nil, false
}

// longs returns the numbers of a literal, or of a set of literals.
func longs(n ast.IsNode) ([]int64, bool) {
	switch t := n.(type) {
	case ast.NodeValue:
		if v, is := t.Value.(types.Long); is {
			return []int64{int64(v)}, true
		}
	case ast.NodeTypeSet:
		var all []int64
		for _, element := range t.Elements {
			one, are := longs(element)
			if !are {
				return nil, false
			}
			all = append(all, one...)
		}
		return all, true
	}
	return nil, false
}

// attribute names what an access reads: the path from its variable, which is
// left out for the context.
func attribute(n ast.IsNode) (string, bool) {
	var path []string
	for {
		switch t := n.(type) {
		case ast.NodeTypeAccess:
			path = append(path, string(t.Value))
			n = t.Arg
			continue
		case ast.NodeTypeVariable:
			switch {
			case len(path) == 0:
				return "", false
			case t.Name != "context":
				return string(t.Name) + "." + path[len(path)-1], true
			case len(path) == 1:
				return path[0] + ".*", true
			}
			return path[len(path)-1] + "." + path[len(path)-2], true
		}
		return "", false
	}
}

// moves reports whether an attribute changes by time alone, without anything
// that ends the facts themselves.
func moves(name string) bool {
	section, last, _ := strings.Cut(name, ".")
	return last == "ageSeconds" || section == "time" || last == "*" && (section == "signIn" || section == "binding")
}
