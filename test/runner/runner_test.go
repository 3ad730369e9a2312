package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// module writes a module of its own and returns its folder.
func module(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	files["go.mod"] = "module example.test/m\n\ngo 1.26\n"
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// runStages runs stages over a module and returns the exit status, the lines
// of the report and the last line.
func runStages(t *testing.T, root bool, files map[string]string, names ...string) (int, string, string) {
	t.Helper()
	var out strings.Builder
	r := &run{dir: module(t, files), out: &out, fuzzTime: time.Second, root: root, tally: newTally()}
	status := r.all(t.Context(), names)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	return status, out.String(), lines[len(lines)-1]
}

const passing = `package a

import "testing"

func TestA(t *testing.T) {
	t.Run("one", func(t *testing.T) {})
	t.Run("two", func(t *testing.T) {})
}
func TestB(t *testing.T) {}
`

func TestCountsLeaves(t *testing.T) {
	status, report, last := runStages(t, true, map[string]string{"a/a_test.go": passing}, "unit")
	if status != 0 || last != "3 passed, 0 failed, 0 skipped" {
		t.Errorf("status %d, last line %q\n%s", status, last, report)
	}
}

func TestNamesFailures(t *testing.T) {
	status, report, last := runStages(t, true, map[string]string{
		"a/a_test.go": passing,
		"b/b_test.go": "package b\n\nimport \"testing\"\n\nfunc TestBad(t *testing.T) { t.Run(\"x\", func(t *testing.T) { t.Error(\"the reason\") }) }\n",
		"c/c_test.go": "package c\n\nfunc broken(\n",
		"d/d_test.go": "package d\n\nimport (\"os\"; \"testing\")\n\nfunc TestExit(t *testing.T) { os.Exit(3) }\n",
	}, "unit")
	if status != 1 || last != "3 passed, 3 failed, 0 skipped" {
		t.Errorf("status %d, last line %q\n%s", status, last, report)
	}
	for _, want := range []string{"failed: b.TestBad/x: b_test.go:5: the reason", "failed: c: could not be built", "failed: d.TestExit: "} {
		if !strings.Contains(report, want) {
			t.Errorf("the report lacks %q:\n%s", want, report)
		}
	}
}

func TestReasons(t *testing.T) {
	for want, output := range map[string][]string{
		"no reason given":                     {"=== RUN   TestA\n", "--- FAIL: TestA (0.00s)\n"},
		"a_test.go:3: first":                  {"said before\n", "    a_test.go:3: first\n", "        and more\n", "    a_test.go:4: second\n"},
		"the last word":                       {"one\n", "the last word\n", "--- FAIL: TestA (0.00s)\n"},
		strings.Repeat("長", maxReason) + " …": {strings.Repeat("長", maxReason+1)},
	} {
		if got := (&testRun{output: output}).reason(); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

func TestASkipIsNamedAndFailsAsRoot(t *testing.T) {
	files := map[string]string{
		"a/a_test.go": passing,
		"b/b_test.go": "package b\n\nimport \"testing\"\n\nfunc TestLater(t *testing.T) { t.Skip(\"no tool\") }\n",
	}
	for root, want := range map[bool]int{true: 1, false: 0} {
		status, report, last := runStages(t, root, files, "unit")
		if status != want || last != "3 passed, 0 failed, 1 skipped" {
			t.Errorf("root %v: status %d, last line %q", root, status, last)
		}
		if !strings.Contains(report, "skipped: b.TestLater: b_test.go:5: no tool") {
			t.Errorf("the skip is not named:\n%s", report)
		}
	}
}

func TestNoTestsFail(t *testing.T) {
	status, report, last := runStages(t, false, map[string]string{"a/a.go": "package a\n"}, "unit")
	if status != 1 || last != "0 passed, 0 failed, 0 skipped" {
		t.Errorf("no test at all: status %d, last line %q\n%s", status, last, report)
	}
	status, report, last = runStages(t, false, map[string]string{
		"a/a_test.go": passing,
		"b/b_test.go": "package b\n\nimport \"testing\"\n\nfunc testLowercase(t *testing.T) {}\n\nvar _ = testLowercase\n",
	}, "unit")
	if status != 1 || last != "3 passed, 1 failed, 0 skipped" {
		t.Errorf("a package whose tests do not run: status %d, last line %q\n%s", status, last, report)
	}
}

func fuzzTarget(name, seed, body string) string {
	return "func " + name + "(f *testing.F) {\n" + seed + "\tf.Fuzz(func(t *testing.T, b []byte) {\n" + body + "\t})\n}\n\n"
}

func TestOnlyTheFuzzersOwnDeadlineIsForgiven(t *testing.T) {
	const late = "--- FAIL: FuzzX (3.1s)\n    context deadline exceeded\nFAIL\n"
	if !onlyOutOfTime(late) {
		t.Error("the fuzzer's own deadline counts as a finding")
	}
	for _, found := range []string{
		"--- FAIL: FuzzX (3.1s)\n", late + "Failing input written to testdata", late + "panic: boom", late + "    x_test.go:12: wrong",
	} {
		if onlyOutOfTime(found) {
			t.Errorf("forgiven: %s", found)
		}
	}
}

func TestFuzzTargets(t *testing.T) {
	text := "package a\n\nimport \"testing\"\n\n" +
		fuzzTarget("FuzzSeeded", "\tf.Add([]byte(\"seed\"))\n", "") +
		fuzzTarget("FuzzBare", "", "") +
		fuzzTarget("FuzzFalls", "\tf.Add([]byte(\"ab\"))\n", "\t\tif len(b) > 2 { t.Fatal(\"too long\") }\n")
	for _, names := range [][]string{{"unit", "fuzz"}, {"fuzz"}} {
		// The seedless target fails once as such; the falling one only by fuzzing.
		status, report, last := runStages(t, false, map[string]string{"a/a_test.go": text}, names...)
		if status != 1 || !strings.HasSuffix(last, " passed, 2 failed, 0 skipped") {
			t.Errorf("%v: status %d, last line %q\n%s", names, status, last, report)
		}
		for _, want := range []string{"failed: a.FuzzBare: fuzz target without seeds", "failed: a.FuzzFalls: fuzzing: ", "too long", "ok   a.FuzzSeeded 1 seeds"} {
			if !strings.Contains(report, want) {
				t.Errorf("%v: the report lacks %q:\n%s", names, want, report)
			}
		}
	}
}

func TestSeedsInTestdataCount(t *testing.T) {
	status, report, _ := runStages(t, false, map[string]string{
		"a/a_test.go":                    "package a\n\nimport \"testing\"\n\n" + fuzzTarget("FuzzFile", "", ""),
		"a/testdata/fuzz/FuzzFile/first": "go test fuzz v1\n[]byte(\"x\")\n",
	}, "unit")
	if status != 0 {
		t.Errorf("status %d\n%s", status, report)
	}
}

func TestANeededStageStopsTheRun(t *testing.T) {
	status, report, last := runStages(t, false, map[string]string{
		"Makefile": "build cross:\n\t@echo will not build >&2; false\n", "a/a_test.go": passing,
	}, "build", "unit")
	if status != 1 || last != "0 passed, 1 failed, 0 skipped" || strings.Contains(report, "--- unit") {
		t.Errorf("status %d, last line %q\n%s", status, last, report)
	}
}

func TestVetFails(t *testing.T) {
	status, report, last := runStages(t, false, map[string]string{
		"a/a.go": "package a\n\nimport \"fmt\"\n\nfunc A() { fmt.Printf(\"%d\", \"text\") }\n", "b/b_test.go": strings.Replace(passing, "package a", "package b", 1),
	}, "vet", "unit")
	if status != 1 || last != "3 passed, 1 failed, 0 skipped" || !strings.Contains(report, "failed: vet: ") {
		t.Errorf("status %d, last line %q\n%s", status, last, report)
	}
}

func TestEndToEndPackagesRunApart(t *testing.T) {
	for pkg, want := range map[string]bool{
		"example.test/m/test/e2e": true, "example.test/m/test/demo": true,
		"example.test/m/test/arch": false, "example.test/m/test/runner": false, "example.test/m/pdp": false,
	} {
		if endToEnd(pkg) != want {
			t.Errorf("%s: end to end is %v", pkg, !want)
		}
	}
	files := map[string]string{
		"a/a_test.go":        passing,
		"test/e2e/e_test.go": strings.Replace(passing, "package a", "package e2e", 1),
	}
	_, report, last := runStages(t, false, files, "e2e")
	if last != "3 passed, 0 failed, 0 skipped" || !strings.Contains(report, "pass TestB") {
		t.Errorf("last line %q\n%s", last, report)
	}
}

func TestUnknownStage(t *testing.T) {
	var out strings.Builder
	if status := command(t.Context(), []string{"-stages", "units"}, &out); status != 2 || !strings.Contains(out.String(), `no stage "units"`) {
		t.Errorf("status %d: %s", status, out.String())
	}
}

func TestAnUnfinishedPackageFails(t *testing.T) {
	var packages []*packageRun
	var out strings.Builder
	r := newReader(&out, "m", false, func(p *packageRun) { packages = append(packages, p) })
	if err := r.read(strings.NewReader(`{"Action":"run","Package":"m/a","Test":"TestA"}` + "\n")); err != nil {
		t.Fatal(err)
	}
	tally := newTally()
	for _, p := range packages {
		tally.addPackage(p)
	}
	if !slices.Equal(tally.failed, []verdict{{"a.TestA", "did not finish"}}) {
		t.Errorf("%v", tally.failed)
	}
}
