package proxies

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// docs/proxies.md has a row and a how-to for each proxy that ships, whose folder
// it names.
func TestEachProxyIsDescribed(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(root, "docs/proxies.md"))
	check(t, err)
	folders, err := os.ReadDir(shipped(""))
	check(t, err)
	if len(folders) < 4 {
		t.Fatal(len(folders))
	}
	text := strings.ToLower(string(raw))
	for _, f := range folders {
		name := f.Name()
		if name == "unavailable" {
			continue
		}
		if !strings.Contains(text, "\n| "+name+" ") {
			t.Errorf("docs/proxies.md has no row for %s", name)
		}
		if !strings.Contains(text, "`"+name+"/") {
			t.Errorf("docs/proxies.md does not say what to do with %s/", name)
		}
	}
}
