package application

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/schema"
	"github.com/cedar-policy/cedar-go/x/exp/schema/ast"
	"github.com/cedar-policy/cedar-go/x/exp/schema/resolved"
	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"

	"github.com/menshen-zt/menshen/internal/wire"
)

// What Menshen adds to an application's schema: an entity type for its live
// sessions, and a member of every action's context.
const (
	reserved    = "Menshen"
	sessionType = types.EntityType(reserved + "::LiveSession")
	// portalType is the resource type by which the portal itself is asked for.
	portalType = types.EntityType(wire.ResourcePortal)

	contextMenshen = types.String("menshen")
	contextClaims  = types.String("claims")
)

// Bounds of a schema, so that validating costs little: what common types grow
// to when each reference is filled in, and how many combinations of an action,
// a principal and a resource there are.
const (
	maxExpanded     = 20_000
	maxCombinations = 500
)

// checked is an application's schema, ready to hold the rest against.
type checked struct {
	validator *validate.Validator
	resolved  *resolved.Schema
	actions   map[string]*action
	enums     map[types.EntityType]map[types.String]bool
}

// action is one of the application's actions that can be asked about.
type action struct {
	uid        types.EntityUID
	ancestors  map[types.EntityUID]bool // and the action itself
	grade      wire.Action
	class      string
	principals []types.EntityType
	resources  []types.EntityType
	claims     *claimType // nil where the context declares none
	// silent is the context of a question about the application's own subject
	// that claims nothing; nil where the schema needs a claim.
	silent *types.Record
	rules  []rule
}

func readSchema(name string, text []byte) (*checked, error) {
	wrong := func(err error) error { return &LoadError{File: name, Err: err} }
	var s schema.Schema
	s.SetFilename(name)
	if err := s.UnmarshalCedar(text); err != nil {
		return nil, placed(name, err)
	}
	tree := s.AST()
	if err := checkNames(tree); err != nil {
		return nil, wrong(err)
	}
	if err := checkSize(tree); err != nil {
		return nil, wrong(err)
	}
	if tree.Namespaces == nil {
		tree.Namespaces = ast.Namespaces{}
	}
	_, session, _ := strings.Cut(string(sessionType), "::")
	tree.Namespaces[reserved] = ast.Namespace{Entities: ast.Entities{ast.Ident(session): {}}}
	whole, err := s.Resolve()
	if err != nil {
		return nil, wrong(err)
	}
	c := &checked{resolved: whole, enums: map[types.EntityType]map[types.String]bool{}}
	if err := c.readActions(); err != nil {
		return nil, wrong(err)
	}
	for kind, enum := range whole.Enums {
		c.enums[kind] = map[types.String]bool{}
		for _, value := range enum.Values {
			c.enums[kind][value.ID] = true
		}
	}
	c.validator = validate.New(whole, validate.WithStrict())
	return c, nil
}

// placed moves the line that the schema's parser names ("file:line:column: …")
// into the error's own.
func placed(name string, err error) error {
	rest, ok := strings.CutPrefix(err.Error(), name+":")
	if ok {
		line, text, _ := strings.Cut(rest, ":")
		if n, bad := strconv.Atoi(line); bad == nil {
			if _, after, found := strings.Cut(text, ": "); found {
				text = after
			}
			return &LoadError{File: name, Line: n, Err: errors.New("syntax: " + text)}
		}
	}
	return &LoadError{File: name, Err: err}
}

// checkNames keeps the application out of the names that mean Menshen's own.
func checkNames(tree *ast.Schema) error {
	for space := range tree.Namespaces {
		if space == reserved || strings.HasPrefix(string(space), reserved+"::") {
			return fmt.Errorf("the namespace %s is Menshen's", space)
		}
	}
	name := ast.Ident(portalType)
	_, entity := tree.Entities[name]
	_, enum := tree.Enums[name]
	if entity || enum {
		return fmt.Errorf("the entity type %q is the portal itself; call yours by another name", name)
	}
	return nil
}

// readActions takes the actions out of the resolved schema and gives each the
// context member that Menshen fills.
func (c *checked) readActions() error {
	c.actions = map[string]*action{}
	combinations := 0
	facts := resolved.Attribute{Type: menshenType()}
	for _, uid := range slices.SortedFunc(maps.Keys(c.resolved.Actions), byText) {
		declared := c.resolved.Actions[uid]
		if declared.AppliesTo == nil {
			continue // a group of actions: nobody can ask about it
		}
		combinations += len(declared.AppliesTo.Principals) * len(declared.AppliesTo.Resources)
		if combinations > maxCombinations {
			return fmt.Errorf("more than %d combinations of action, principal and resource", maxCombinations)
		}
		a, err := c.readAction(uid, declared)
		if err != nil {
			return fmt.Errorf("action %s: %w", uid, err)
		}
		if other := c.actions[string(uid.ID)]; other != nil {
			return fmt.Errorf("%s and %s have one name, and a question names no namespace", other.uid, uid)
		}
		c.actions[string(uid.ID)] = a
		context := maps.Clone(declared.AppliesTo.Context)
		context[contextMenshen] = facts
		declared.AppliesTo.Context = context
	}
	if len(c.actions) == 0 {
		return errors.New("no action applies to anything: nothing could be asked")
	}
	return nil
}

var (
	grades     = [...]wire.Action{wire.ActionRead, wire.ActionWrite, wire.ActionAdmin}
	classShape = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)
)

func byText(a, b types.EntityUID) int { return strings.Compare(a.String(), b.String()) }

func (c *checked) readAction(uid types.EntityUID, declared resolved.Action) (*action, error) {
	a := &action{
		uid: uid, ancestors: map[types.EntityUID]bool{}, grade: wire.ActionWrite,
		principals: declared.AppliesTo.Principals, resources: declared.AppliesTo.Resources,
	}
	c.climb(uid, a.ancestors)
	for key, value := range declared.Annotations {
		switch {
		case key == "grade" && !slices.Contains(grades[:], wire.Action(value)):
			return nil, fmt.Errorf("@grade(%q) is none of %q", string(value), grades)
		case key == "grade":
			a.grade = wire.Action(value)
		case key == "class" && !classShape.MatchString(string(value)):
			return nil, fmt.Errorf("@class(%q) is not of 1 to 32 lower-case letters, digits and hyphens", string(value))
		case key == "class":
			a.class = string(value)
		} // others are words for whoever reads the schema
	}
	for name, attribute := range declared.AppliesTo.Context {
		if name != contextClaims {
			return nil, fmt.Errorf("context.%s: nothing fills it; what a caller sends stands in context.%s", name, contextClaims)
		}
		claims, err := readClaims(attribute.Type)
		if err != nil {
			return nil, err
		}
		a.claims = claims
	}
	return a, nil
}

// climb collects an action and its ancestors.
func (c *checked) climb(uid types.EntityUID, into map[types.EntityUID]bool) {
	if into[uid] {
		return
	}
	into[uid] = true
	for parent := range c.resolved.Actions[uid].Entity.Parents.All() {
		c.climb(parent, into)
	}
}
