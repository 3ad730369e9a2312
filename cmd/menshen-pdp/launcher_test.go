//go:build linux

package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/menshen-zt/menshen/plugins/host"
)

// A configuration that others than root could have written starts nothing.
func TestTheLaunchersConfigurationIsRootsAlone(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("run as root: only root can give a file away")
	}
	const text = `data: /var/lib/menshen-pdp
web: {origin: "https://pdp.example.gov.tw", certificate: /c, key: /k}
agents: {names: [pdp.example.gov.tw]}
plugins: {run: [{name: x, cluster: network, sha256: "` + "abababababababababababababababababababababababababababababababab" + `"}]}
`
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	file := func(name string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, writable, given := file("good.yaml"), file("writable.yaml"), file("given.yaml")
	link := filepath.Join(dir, "link.yaml")
	if err := errors.Join(os.Chmod(writable, 0o666), os.Chown(given, 1234, 1234), os.Symlink(good, link)); err != nil {
		t.Fatal(err)
	}
	if all, err := registered(good); err != nil || len(all) != 1 || all[0].Name != "x" {
		t.Errorf("%+v %v", all, err)
	}
	for name, path := range map[string]string{"writable": writable, "another's": given, "a link": link} {
		if _, err := registered(path); !errors.Is(err, host.ErrWritable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := registered(good); !errors.Is(err, host.ErrWritable) {
		t.Errorf("a writable folder: %v", err)
	}
}
