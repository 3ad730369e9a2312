package arch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// systems are the operating systems whose files are judged.
var systems = [...]string{"linux", "windows", "darwin"}

// tree is a module's packages, one entry for each operating system on which
// the package has files.
type tree struct {
	module   string
	fset     *token.FileSet
	packages []*unit
}

// unit is one package as built for one operating system.
type unit struct {
	system  string
	path    string // relative to the module's root, "." for the root
	name    string
	imports []string // as written
	// testImports are those of its test files, inside and outside the package.
	testImports []string
	files       []*ast.File // without tests
}

// listed is what `go list -json` says of a package.
type listed struct {
	Dir, ImportPath, Name              string
	GoFiles, TestGoFiles, XTestGoFiles []string
	Imports, TestImports, XTestImports []string
	Module                             *struct{ Path string }
}

// load reads the module in dir. A package that does not compile is read all
// the same: the rules need its syntax alone.
func load(dir string) (*tree, error) {
	t := &tree{fset: token.NewFileSet()}
	for _, system := range systems {
		cmd := exec.Command("go", "list", "-e", "-json=Dir,ImportPath,Name,GoFiles,TestGoFiles,XTestGoFiles,Imports,TestImports,XTestImports,Module", "./...")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH=amd64", "CGO_ENABLED=0")
		var complaint bytes.Buffer
		cmd.Stderr = &complaint
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("go list for %s: %w: %s", system, err, complaint.String())
		}
		if err := t.add(system, out); err != nil {
			return nil, err
		}
	}
	if len(t.packages) == 0 {
		return nil, errors.New("no packages in " + dir)
	}
	return t, nil
}

func (t *tree) add(system string, list []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(list))
	for {
		var l listed
		if err := decoder.Decode(&l); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if l.Module == nil || len(l.GoFiles)+len(l.TestGoFiles)+len(l.XTestGoFiles) == 0 {
			continue
		}
		t.module = l.Module.Path
		u := &unit{system: system, path: t.relative(l.ImportPath), name: l.Name, imports: l.Imports, testImports: slices.Concat(l.TestImports, l.XTestImports)}
		for _, name := range l.GoFiles {
			file, err := parser.ParseFile(t.fset, filepath.Join(l.Dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			u.files = append(u.files, file)
		}
		t.packages = append(t.packages, u)
	}
}

// relative returns the path below the module's root, or path itself where it
// is another module's.
func (t *tree) relative(path string) string {
	if path == t.module {
		return "."
	}
	if rest, ok := strings.CutPrefix(path, t.module+"/"); ok {
		return rest
	}
	return path
}

// own reports whether an import path is this module's.
func (t *tree) own(path string) bool {
	return path == t.module || strings.HasPrefix(path, t.module+"/")
}

// standard reports whether an import path is the standard library's, whose
// first part never holds a dot.
func (t *tree) standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !t.own(path) && !strings.Contains(first, ".")
}

// at names the place of a node for people.
func (t *tree) at(u *unit, node ast.Node) string {
	p := t.fset.Position(node.Pos())
	return fmt.Sprintf("%s/%s:%d", u.path, filepath.Base(p.Filename), p.Line)
}

// under reports whether path is folder or lies below it.
func under(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}

func underAny(path string, folders []string) bool {
	return slices.ContainsFunc(folders, func(folder string) bool { return under(path, folder) })
}
