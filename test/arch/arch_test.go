package arch

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

func TestTheTreeKeepsItsRules(t *testing.T) {
	tree, err := load("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, breach := range judge(tree) {
		t.Error(breach)
	}
}

// TestEachRuleFails judges archives that break one rule each. The lines
// "want: …" of an archive's comment are the breaches, and all of them.
func TestEachRuleFails(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	broken := map[string]bool{}
	for _, file := range archives {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		wants := wanted(string(archive.Comment))
		for _, want := range wants {
			name, _, _ := strings.Cut(want, ":")
			broken[name] = true
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			tree, err := load(unpack(t, archive))
			if err != nil {
				t.Fatal(err)
			}
			compare(t, judge(tree), wants)
		})
	}
	for _, r := range rules {
		if !broken[r.name] {
			t.Errorf("no archive breaks the rule %q", r.name)
		}
	}
}

func wanted(comment string) []string {
	var wants []string
	for line := range strings.Lines(comment) {
		if want, ok := strings.CutPrefix(line, "want: "); ok {
			wants = append(wants, strings.TrimSpace(want))
		}
	}
	return wants
}

func compare(t *testing.T, got, wants []string) {
	t.Helper()
	for _, breach := range got {
		known := func(want string) bool { return strings.HasPrefix(breach, want+" (") }
		if !slices.ContainsFunc(wants, known) {
			t.Errorf("not wanted: %s", breach)
		}
	}
	for _, want := range wants {
		if !slices.ContainsFunc(got, func(breach string) bool { return strings.HasPrefix(breach, want+" (") }) {
			t.Errorf("not found: %s", want)
		}
	}
}

func unpack(t *testing.T, archive *txtar.Archive) string {
	t.Helper()
	dir := t.TempDir()
	files := append(archive.Files, txtar.File{Name: "go.mod", Data: []byte("module github.com/menshen-zt/menshen\n\ngo 1.26\n")})
	for _, f := range files {
		path := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
