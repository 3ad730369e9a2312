package arch

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"
)

// variables is rule 6: no package variable changes after its declaration, be
// it one's own or another package's; nor does its address leave, by which it
// could.
func variables(t *tree) []string {
	var found []string
	for _, u := range t.packages {
		info := check(t, u)
		for _, file := range u.files {
			if ast.IsGenerated(file) {
				continue
			}
			ast.Inspect(file, func(n ast.Node) bool {
				for _, e := range changed(n) {
					if name := packageVariable(info, e); name != "" {
						found = append(found, t.at(u, n)+" changes the package variable "+name)
					}
				}
				return true
			})
		}
	}
	return found
}

// changed returns the expressions that a node writes to or takes the address of.
func changed(n ast.Node) []ast.Expr {
	switch n := n.(type) {
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			return n.Lhs
		}
	case *ast.IncDecStmt:
		return []ast.Expr{n.X}
	case *ast.RangeStmt:
		if n.Tok == token.ASSIGN {
			return []ast.Expr{n.Key, n.Value}
		}
	case *ast.UnaryExpr:
		if _, literal := n.X.(*ast.CompositeLit); n.Op == token.AND && !literal {
			return []ast.Expr{n.X}
		}
	case *ast.CallExpr:
		if f, ok := n.Fun.(*ast.Ident); ok && (f.Name == "delete" || f.Name == "clear") && len(n.Args) > 0 {
			return n.Args[:1]
		}
	}
	return nil
}

// packageVariable returns the name of the package variable that e is, or is a
// part of; empty if it is none.
func packageVariable(info *types.Info, e ast.Expr) string {
	for {
		switch x := e.(type) {
		case *ast.ParenExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.SliceExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.SelectorExpr:
			if from := importOf(info, x); from != "" {
				return from + "." + x.Sel.Name
			}
			e = x.X
		case *ast.Ident:
			v, ok := info.Uses[x].(*types.Var)
			if ok && v.Pkg() != nil && v.Parent() == v.Pkg().Scope() {
				return v.Name()
			}
			return ""
		default:
			return ""
		}
	}
}

// inits is rule 6: no init function. One without effects is not needed.
func inits(t *tree) []string {
	var found []string
	for _, u := range t.packages {
		for _, file := range u.files {
			if ast.IsGenerated(file) {
				continue
			}
			for _, d := range file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
					found = append(found, t.at(u, f)+" has an init function")
				}
			}
		}
	}
	return found
}

// check resolves a package's names. Its imports are left empty, which go/types
// complains of; but which name is a package, and which a package's own
// variable, it knows all the same, and without building anything.
func check(t *tree, u *unit) *types.Info {
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: empty{}, Error: func(error) {}}
	// The error says that the imports are empty.
	_, _ = config.Check(u.path, t.fset, u.files, info)
	return info
}

// empty imports every package as one that declares nothing.
type empty struct{}

func (empty) Import(path string) (*types.Package, error) {
	parts := strings.Split(path, "/")
	name := parts[len(parts)-1]
	if len(parts) > 1 && len(name) > 1 && name[0] == 'v' && strings.Trim(name[1:], "0123456789") == "" {
		name = parts[len(parts)-2] // a major version
	}
	p := types.NewPackage(path, name)
	p.MarkComplete()
	return p, nil
}

// importOf returns the import path of the package that s selects from, empty
// where s selects from a value.
func importOf(info *types.Info, s *ast.SelectorExpr) string {
	name, ok := s.X.(*ast.Ident)
	if !ok {
		return ""
	}
	p, ok := info.Uses[name].(*types.PkgName)
	if !ok {
		return ""
	}
	return p.Imported().Path()
}
