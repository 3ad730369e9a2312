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
	for _, f := range folders {
		if name := "`" + f.Name() + "/"; f.Name() != "unavailable" && !strings.Contains(string(raw), name) {
			t.Errorf("docs/proxies.md does not say what to do with %s", name)
		}
	}
}
