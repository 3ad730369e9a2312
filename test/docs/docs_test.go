// Package docs keeps the documents true: commands in them run, links lead
// somewhere, and a test that a document names exists.
package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// elsewhere are commands that another part of `make test` runs, or is.
var elsewhere = []string{"make demo", "make test"}

// documents returns the text of every Markdown file of the repository.
func documents(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, pattern := range []string{"*.md", "*/*.md", "*/*/*.md"} {
		paths, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			files[path] = string(raw)
		}
	}
	for _, name := range []string{"README.md", "SECURITY.md", "CONTRIBUTING.md", "docs/threat-model.md", "docs/divergences.md", "docs/operations.md"} {
		if files[filepath.Join(root, name)] == "" {
			t.Errorf("there is no %s", name)
		}
	}
	return files
}

// blocks returns the contents of the fenced blocks that are marked sh.
func blocks(document string) []string {
	var found []string
	for _, part := range strings.Split("\n"+document, "\n```sh\n")[1:] {
		block, _, _ := strings.Cut(part, "\n```")
		found = append(found, block)
	}
	return found
}

func TestCommandsRun(t *testing.T) {
	ran := 0
	for path, document := range documents(t) {
		for _, block := range blocks(document) {
			lines := slices.DeleteFunc(strings.Split(block, "\n"), func(line string) bool { return slices.Contains(elsewhere, line) })
			if len(lines) == 0 {
				continue
			}
			ran++
			t.Run(filepath.Base(path), func(t *testing.T) {
				cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", strings.Join(lines, "\n"))
				cmd.Dir = root
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%s\n%v\n%s", block, err, out)
				}
			})
		}
	}
	if ran == 0 {
		t.Error("no command was found: are the blocks marked sh?")
	}
}

var link = regexp.MustCompile(`\]\(([^)#]+)(#[^)]*)?\)`)

func TestLinksLeadSomewhere(t *testing.T) {
	for path, document := range documents(t) {
		for _, match := range link.FindAllStringSubmatch(document, -1) {
			if strings.Contains(match[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), match[1])); err != nil {
				t.Errorf("%s: link to %s: %v", path, match[1], err)
			}
		}
	}
}

var named = regexp.MustCompile("`([a-z][a-z0-9/-]*)\\.((?:Test|Fuzz|Benchmark)[A-Za-z0-9_]+)`")

func TestNamedTestsExist(t *testing.T) {
	count := 0
	for path, document := range documents(t) {
		for _, match := range named.FindAllStringSubmatch(document, -1) {
			count++
			if !declared(t, match[1], match[2]) {
				t.Errorf("%s: %s has no %s", path, match[1], match[2])
			}
		}
	}
	if count == 0 {
		t.Error("no document names a test: where are the promises of SECURITY.md?")
	}
}

// declared reports whether a package's tests declare a function.
func declared(t *testing.T, pkg, function string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, pkg, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(files, func(file string) bool {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(raw), "\nfunc "+function+"(")
	})
}

var backticked = regexp.MustCompile("`((?:agent|pdp|internal|plugins|installer|test|docs|cmd|examples)/[a-z0-9./-]*)`")

func TestNamedPlacesExist(t *testing.T) {
	for path, document := range documents(t) {
		for _, match := range backticked.FindAllStringSubmatch(document, -1) {
			if _, err := os.Stat(filepath.Join(root, match[1])); err != nil {
				t.Errorf("%s names %s: %v", path, match[1], err)
			}
		}
	}
}
