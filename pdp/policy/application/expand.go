package application

import (
	"fmt"
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/schema/ast"
)

// expander counts how large types become once every reference to a common type
// is filled in: a few lines that name each other twice would fill the memory.
type expander struct {
	types map[types.Path]ast.IsType
	sizes map[types.Path]int // -1 while it is being counted
}

// checkSize refuses a schema that grows too large.
func checkSize(tree *ast.Schema) error {
	x := expander{types: map[types.Path]ast.IsType{}, sizes: map[types.Path]int{}}
	spaces := map[types.Path]ast.Namespace{"": {Entities: tree.Entities, Actions: tree.Actions, CommonTypes: tree.CommonTypes}}
	for name, space := range tree.Namespaces {
		spaces[name] = space
	}
	for name, space := range spaces {
		for t, declared := range space.CommonTypes {
			x.types[join(name, types.Path(t))] = declared.Type
		}
	}
	total := 0
	for name, space := range spaces {
		for _, e := range space.Entities {
			total = add(total, x.size(name, e.Shape), x.size(name, e.Tags))
		}
		for _, a := range space.Actions {
			if a.AppliesTo != nil {
				total = add(total, x.size(name, a.AppliesTo.Context))
			}
		}
	}
	if total > maxExpanded {
		return fmt.Errorf("its types grow beyond %d attributes once common types are filled in", maxExpanded)
	}
	return nil
}

// add counts no further than is needed to refuse, so that nothing overflows.
func add(sizes ...int) int {
	total := 0
	for _, n := range sizes {
		total = min(total+n, maxExpanded+1)
	}
	return total
}

func join(space, name types.Path) types.Path {
	if space == "" {
		return name
	}
	return space + "::" + name
}

func (x *expander) size(space types.Path, t ast.IsType) int {
	switch t := t.(type) {
	case ast.SetType:
		return add(1, x.size(space, t.Element))
	case ast.RecordType:
		total := 1
		for _, attribute := range t {
			total = add(total, x.size(space, attribute.Type))
		}
		return total
	case ast.TypeRef:
		return x.named(space, types.Path(t))
	default:
		return 1
	}
}

// named counts a common type once. One that names itself counts as nothing
// here: resolving refuses it.
func (x *expander) named(space, name types.Path) int {
	path := join(space, name)
	if _, ok := x.types[path]; !ok || strings.Contains(string(name), "::") {
		path = name
	}
	t, ok := x.types[path]
	if !ok {
		return 1 // an entity or one of Cedar's own
	}
	if n, counted := x.sizes[path]; counted {
		return max(n, 0)
	}
	x.sizes[path] = -1
	within := types.Path("")
	if i := strings.LastIndex(string(path), "::"); i >= 0 {
		within = path[:i]
	}
	x.sizes[path] = x.size(within, t)
	return x.sizes[path]
}
