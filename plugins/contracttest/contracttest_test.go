package contracttest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/plugins/contract"
)

// programVariable names the program that TestSuite puts through the suite, in
// whatever language it is written; docs/plugins.md tells authors of it.
const programVariable = "MENSHEN_PLUGIN"

// TestSuite is the suite on a plugin of anybody's, with the settings that are
// in the environment; by itself on one without a mistake.
func TestSuite(t *testing.T) {
	program := os.Getenv(programVariable)
	if program == "" {
		program = built(t)
	}
	var settings any
	if text := os.Getenv(contract.SettingsVariable); text != "" {
		settings = json.RawMessage(text)
	}
	RunWith(t, program, settings)
}

func built(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "careless")
	build := exec.Command("go", "build", "-o", program, "./testdata/careless")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// Each mistake fails the part of the suite that is about it.
func TestMistakesAreFound(t *testing.T) {
	program := built(t)
	for mistake, part := range map[string]string{
		"speaks for strangers":   "no_history",
		"opinion and abstention": "bounds",
		"learns by being asked":  "assessing_is_not_learning",
		"believes failures":      "failures_speak_for_nobody",
		"asks for situations":    "description",
		"no Chinese":             "description",
		"other arguments":        "description",
		"no text":                "bounds",
		"counts twice":           "same_history,_same_verdict",
		"misreads an officer":    "an_officer's_word",
		"keeps in secret":        "state_is_handed_over",
		"says not what it keeps": "state_is_handed_over",
		"loses its state":        "state_is_handed_over",
		"counts over everybody":  "state_is_handed_over",
		"takes what it can":      "a_state_that_cannot_be_read",
		"forgets nobody":         "who_is_forgotten_is_a_stranger",
		"eternal":                "retention",
	} {
		t.Run(mistake, func(t *testing.T) {
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			run := exec.Command(self, "-test.run", "^TestSuite$/^"+strings.ReplaceAll(part, "'", ".")+"$", "-test.v")
			run.Env = append(os.Environ(), programVariable+"="+program, contract.SettingsVariable+`={"mistake":"`+mistake+`"}`)
			out, err := run.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL: TestSuite/"+part) {
				t.Errorf("%q passes %q: %v\n%s", mistake, part, err, out)
			}
		})
	}
}
