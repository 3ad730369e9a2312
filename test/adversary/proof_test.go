//go:build linux

package adversary

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var prove = flag.Bool("prove", false, "take each check out and see its attack's test fail: minutes")

const root = "../.."

// TestEachCheckIsNeeded finds each check where the table says it stands. With
// -prove it takes it out, and the attack's test must fail.
func TestEachCheckIsNeeded(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range attacks() {
		if seen[a.name] {
			t.Errorf("two attacks are called %q", a.name)
		}
		seen[a.name] = true
		t.Run(a.name, func(t *testing.T) {
			if a.after == "" || len(a.want) == 0 {
				t.Error("the table does not say what it follows, or what answers it")
			}
			source, err := os.ReadFile(filepath.Join(root, a.check.file))
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(source), a.check.code); n != 1 || a.check.code == "" {
				t.Fatalf("%s holds the check %d times:\n%s", a.check.file, n, a.check.code)
			}
			if !strings.Contains(string(source), a.check.also[0]) {
				t.Fatalf("%s does not hold:\n%s", a.check.file, a.check.also[0])
			}
			if *prove {
				mutated := strings.Replace(string(source), a.check.code, a.check.without, 1)
				a.proven(t, strings.Replace(mutated, a.check.also[0], a.check.also[1], 1))
			}
		})
	}
}

// proven runs the attack's own test with its check's file replaced.
func (a attack) proven(t *testing.T, mutated string) {
	original, err := filepath.Abs(filepath.Join(root, a.check.file))
	if err != nil {
		t.Fatal(err)
	}
	copied, overlay := filepath.Join(t.TempDir(), "mutated.go"), filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(copied, []byte(mutated), 0o600); err != nil {
		t.Fatal(err)
	}
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {original: copied}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(overlay, replace, 0o600); err != nil {
		t.Fatal(err)
	}
	name := regexp.QuoteMeta(strings.ReplaceAll(a.name, " ", "_"))
	out, err := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-vet=off", "-ldflags=-s -w", "-overlay="+overlay, "-run", "^TestAdversary$/^"+name+"$", ".").CombinedOutput()
	failed := bytes.Contains(out, []byte("--- FAIL: TestAdversary/"+strings.ReplaceAll(a.name, " ", "_")))
	switch {
	case err == nil:
		t.Errorf("without its check the attack is refused as before:\n%s", out)
	case !failed:
		t.Errorf("the test did not come to fail by itself:\n%s", out)
	}
}
