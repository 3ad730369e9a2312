package contracttest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Variables by which TestMistakesAreFound runs TestSuite in a process of its
// own, where it may fail.
const (
	programVariable = "CONTRACTTEST_PROGRAM"
	mistakeVariable = "CONTRACTTEST_MISTAKE"
)

// TestSuite is the suite on a plugin, by itself one without a mistake.
func TestSuite(t *testing.T) {
	program := os.Getenv(programVariable)
	if program == "" {
		program = built(t)
	}
	RunWith(t, program, map[string]string{"mistake": os.Getenv(mistakeVariable)})
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
			run.Env = append(os.Environ(), programVariable+"="+program, mistakeVariable+"="+mistake)
			out, err := run.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL: TestSuite/"+part) {
				t.Errorf("%q passes %q: %v\n%s", mistake, part, err, out)
			}
		})
	}
}
