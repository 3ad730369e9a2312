package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/plugins/contracttest"
)

// plugin runs "menshenctl plugin" without a PDP and returns both outputs.
func pluginCommand(t *testing.T, want int, args ...string) (string, string) {
	t.Helper()
	var out, errors bytes.Buffer
	code := execute(t.Context(), append([]string{"plugin"}, args...), func(string) string { return "" }, strings.NewReader(""), &out, &errors)
	if code != want {
		t.Fatalf("%q: exit %d, want %d\n%s%s", args, code, want, out.String(), errors.String())
	}
	return out.String(), errors.String()
}

// inFolder runs a command there, as a stranger to this module would.
func inFolder(t *testing.T, folder string, command ...string) {
	t.Helper()
	run := exec.Command(command[0], command[1:]...)
	run.Dir = folder
	// What this module is built from is at hand, so nothing needs a network.
	run.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOPROXY=off", "GOFLAGS=-mod=mod")
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", command, err, out)
	}
}

func TestANewPluginInGoBuildsAndPassesTheSuite(t *testing.T) {
	dir := t.TempDir()
	out, _ := pluginCommand(t, exitDone, "new", "zone-habit", "--dir", dir, "--source", "../..", "--json")
	var said struct{ Name, Language, Folder string }
	if err := json.Unmarshal([]byte(out), &said); err != nil || said.Folder != filepath.Join(dir, "zone-habit") || said.Language != "go" {
		t.Fatalf("%s: %v", out, err)
	}
	inFolder(t, said.Folder, "go", "build", "-o", "zone-habit", ".")
	inFolder(t, said.Folder, "go", "vet", ".")
	inFolder(t, said.Folder, "go", "test", "-run", "TestScore", ".")
	contracttest.Run(t, filepath.Join(said.Folder, "zone-habit"))
}

func TestANewPluginInPythonPassesTheSuite(t *testing.T) {
	dir := t.TempDir()
	out, _ := pluginCommand(t, exitDone, "new", "zone-habit", "--dir", dir, "--lang", "python")
	if !strings.Contains(out, "zipapp "+filepath.Join(dir, "zone-habit")) {
		t.Errorf("what comes next is not told: %s", out)
	}
	inFolder(t, dir, "/usr/bin/python3", "-m", "zipapp", "zone-habit", "-p", "/usr/bin/python3 -I", "-o", "zone-habit.pyz")
	contracttest.Run(t, filepath.Join(dir, "zone-habit.pyz"))
}

func TestANewPluginIsRefused(t *testing.T) {
	dir := t.TempDir()
	kept := filepath.Join(dir, "there")
	if err := os.WriteFile(kept, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, refused := range []struct {
		code string
		args []string
	}{
		{reason.PluginNewName, []string{"Zone"}},
		{reason.PluginNewName, []string{"../zone"}},
		{reason.PluginNewName, []string{strings.Repeat("a", 33)}},
		{reason.PluginNewLanguage, []string{"zone", "--lang", "cobol"}},
		{reason.PluginNewFolder, []string{"there", "--source", "../.."}},
		{reason.PluginNewSource, []string{"zone"}},
		{reason.PluginNewSource, []string{"zone", "--source", dir}},
	} {
		_, said := pluginCommand(t, exitRefused, append([]string{"new", "--dir", dir}, refused.args...)...)
		if !strings.Contains(said, refused.code) {
			t.Errorf("%q: %s", refused.args, said)
		}
	}
	entries, err := os.ReadDir(dir)
	text, _ := os.ReadFile(kept)
	if err != nil || len(entries) != 1 || string(text) != "mine" {
		t.Errorf("%d entries, %q: %v", len(entries), text, err)
	}
}

// A release needs no source: the module names it.
func TestANewPluginRequiresTheReleaseThatWroteIt(t *testing.T) {
	in := newPlugin{name: "zone", language: "go"}
	files := map[string][]byte{}
	err := in.addModule(files, "v1.2.3")
	if mod := files["go.mod"]; err != nil || !strings.Contains(string(mod), "\nrequire "+modulePath+" v1.2.3\n") || strings.Contains(string(mod), "replace") {
		t.Errorf("%s: %v", files["go.mod"], err)
	}
	for _, other := range []string{"unreleased", "v1.2.3-4-gabcdef", "v1.2.3-dirty", "", "v1.2.3\nreplace x => y"} {
		if in.addModule(map[string][]byte{}, other) == nil {
			t.Errorf("%q was taken for a release", other)
		}
	}
	own, err := os.ReadFile("../../go.mod")
	if err != nil || !strings.Contains(string(own), "\ngo "+moduleGo+"\n") {
		t.Errorf("this module is not for Go %s: %v", moduleGo, err)
	}
}
