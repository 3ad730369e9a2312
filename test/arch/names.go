package arch

import (
	"go/ast"
	"path"
	"regexp"
	"slices"
	"strings"
)

// vague names are those that rule 6 refuses.
var vague = []string{"util", "utils", "common", "helpers", "base", "types", "manager"}

func names(t *tree) []string {
	var found []string
	for _, u := range t.packages {
		for _, name := range [...]string{u.name, path.Base(u.path)} {
			if slices.Contains(vague, name) {
				found = append(found, u.path+" is a package named "+name)
			}
		}
	}
	return found
}

// documents asks for a package document of every package that has code.
func documents(t *tree) []string {
	documented := map[string]bool{}
	for _, u := range t.packages {
		if len(u.files) > 0 {
			documented[u.path] = documented[u.path] || slices.ContainsFunc(u.files, func(f *ast.File) bool { return f.Doc != nil })
		}
	}
	var found []string
	for path, has := range documented {
		if !has {
			found = append(found, path+" has no package document")
		}
	}
	return found
}

// reasoned is a suppression that names its rule and says why.
var reasoned = regexp.MustCompile(`^//\s*#nosec G\d+( G\d+)* -- \S`)

// suppressions asks for a rule and a reason wherever gosec is silenced;
// nolintlint asks the same of nolint comments.
func suppressions(t *tree) []string {
	var found []string
	for _, u := range t.packages {
		for _, file := range u.files {
			for _, group := range file.Comments {
				for _, c := range group.List {
					if strings.Contains(c.Text, "#nosec") && !reasoned.MatchString(c.Text) {
						found = append(found, t.at(u, c)+` silences gosec without "#nosec Gnnn -- why"`)
					}
				}
			}
		}
	}
	return found
}
