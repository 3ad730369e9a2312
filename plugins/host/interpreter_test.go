//go:build linux

package host

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// pythonPlugin is examples/plugin-python as one file, run by the system's
// Python, with the given file, if any, in place of its own beginning.
func pythonPlugin(t *testing.T, name, beginning string) Config {
	t.Helper()
	source := t.TempDir()
	if err := os.CopyFS(source, os.DirFS("../../examples/plugin-python")); err != nil {
		t.Fatal(err)
	}
	if beginning != "" {
		copyFile(t, beginning, filepath.Join(source, "__main__.py"))
	}
	python, err := filepath.EvalSymlinks("/usr/bin/python3")
	if err != nil {
		t.Fatal(err)
	}
	c := program(t, "odd-fine") // for its folder
	c.Name, c.Path = name, filepath.Join(filepath.Dir(c.Path), name)
	if out, err := exec.Command(python, "-m", "zipapp", source, "-o", c.Path).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := os.Chmod(c.Path, 0o644); err != nil {
		t.Fatal(err)
	}
	c.SHA256 = digest(t, c.Path)
	c.Interpreter = &Interpreter{Path: python, SHA256: digest(t, python), Arguments: []string{"-I"}}
	c.ReadPaths = []string{"/usr/lib"}
	return c
}

func fromZone(minutes int) wire.Observation {
	o := seen("192.0.2.0")
	o.ZoneMins, o.ZoneKnown = minutes, true
	return o
}

// A plugin in Python runs in the sandbox, under its own uid where the host is
// root, from the one file whose checksum is configured.
func TestAPluginInPythonAnswers(t *testing.T) {
	o, _ := options(t)
	o.StartTimeout = time.Minute
	h := start(t, o, pythonPlugin(t, "plugin-python", ""))
	if v := h.Assess(t.Context(), fromZone(480))[0]; v.Missing || !v.Abstained {
		t.Fatalf("without history: %+v", v)
	}
	h.Observe(t.Context(), fromZone(480))
	home, abroad := h.Assess(t.Context(), fromZone(480))[0], h.Assess(t.Context(), fromZone(-300))[0]
	if home.LLR <= 0 || abroad.LLR >= 0 || home.Missing || abroad.Missing {
		t.Errorf("home %+v, abroad %+v", home, abroad)
	}
	limits := h.Limits()[0]
	for _, word := range []string{"checksum: ", "programs: "} {
		if !slices.ContainsFunc(limits.Missing, func(s string) bool { return strings.HasPrefix(s, word) }) {
			t.Errorf("what an interpreter leaves open is not said: %q", limits.Missing)
		}
	}
	for _, limit := range limits.Missing {
		t.Log("not enforced:", limit)
	}
}

func TestTheSandboxHoldsAnInterpreterToo(t *testing.T) {
	o, _ := options(t)
	c := pythonPlugin(t, "odd-python", "testdata/odd-python/__main__.py")
	c.Deadline, o.StartTimeout = maxDeadline, time.Minute // it tries before it serves
	v := start(t, o, c).Assess(t.Context(), fromZone(480))[0]
	if v.Missing || len(v.Reasons) != 1 {
		t.Fatalf("%+v", v)
	}
	// Of the tries only the one that Limits tells of gets through.
	if got := v.Reasons[0].Args; len(got) != 1 || got["again"] != "worked" {
		t.Errorf("%v", got)
	}
}

func TestRefusedInterpreters(t *testing.T) {
	good := pythonPlugin(t, "plugin-python", "")
	script := filepath.Join(filepath.Dir(good.Path), "interpreter")
	copyFile(t, good.Interpreter.Path, script)
	if err := os.Chmod(script, 0o777); err != nil {
		t.Fatal(err)
	}
	for name, refused := range map[string]struct {
		change func(*Interpreter)
		want   error
	}{
		"another checksum":    {func(i *Interpreter) { i.SHA256 = strings.Repeat("0", 64) }, ErrChecksum},
		"no checksum":         {func(i *Interpreter) { i.SHA256 = "" }, ErrChecksum},
		"a relative path":     {func(i *Interpreter) { i.Path = "python3" }, ErrConfig},
		"one anybody changes": {func(i *Interpreter) { i.Path = script }, ErrWritable},
		"a hundred arguments": {func(i *Interpreter) { i.Arguments = make([]string, 100) }, ErrConfig},
		"a long argument":     {func(i *Interpreter) { i.Arguments = []string{strings.Repeat("x", 65)} }, ErrConfig},
	} {
		c, i := good, *good.Interpreter
		refused.change(&i)
		c.Interpreter = &i
		o, _ := options(t)
		if h, err := Start(t.Context(), []Config{c}, o); !errors.Is(err, refused.want) {
			if err == nil {
				h.Close()
			}
			t.Errorf("%s: %v", name, err)
		}
	}
}
