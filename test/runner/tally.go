package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// tally keeps what became of every test.
type tally struct {
	passed  int
	failed  []verdict
	skipped []verdict
	// targets holds the fuzz targets that ran with their seeds.
	targets []target
	// filtered says that only some tests were asked for, so that a package may
	// rightly run none.
	filtered bool
}

// verdict names one test (or package, or stage) and says why.
type verdict struct{ name, why string }

// target is one fuzz target.
type target struct {
	pkg, name string
	seeds     int
}

func newTally() *tally { return &tally{} }

func (t *tally) fail(name, why string) { t.failed = append(t.failed, verdict{name, why}) }

// addPackage counts a finished package's tests. Only leaves count: a test with
// subtests is the sum of them, unless it failed by itself. A fuzz target
// counts as one test however many seeds it has.
func (t *tally) addPackage(p *packageRun) {
	parents := map[string]bool{}
	failedBelow := map[string]bool{}
	for name, test := range p.tests {
		for parent := range ancestors(name) {
			parents[parent] = true
			failedBelow[parent] = failedBelow[parent] || test.action == "fail"
		}
	}
	failedBefore := len(t.failed)
	for _, name := range slices.Sorted(maps.Keys(p.tests)) {
		test, full := p.tests[name], p.name+"."+name
		seed := strings.HasPrefix(name, "Fuzz") && strings.Contains(name, "/")
		switch {
		case test.action == "skip":
			t.skipped = append(t.skipped, verdict{full, test.reason()})
		case test.action == "fail" && !failedBelow[name]:
			t.fail(full, test.reason())
		case test.action == "":
			t.fail(full, "did not finish")
		case test.action == "pass" && !seed && (!parents[name] || strings.HasPrefix(name, "Fuzz")):
			t.passed++
		}
	}
	t.addTargets(p)
	switch {
	case p.broken:
		t.fail(p.name, "could not be built")
	case p.action == "fail" && len(t.failed) == failedBefore:
		t.fail(p.name, "the package failed outside its tests")
	case p.action == "pass" && len(p.tests) == 0 && !t.filtered:
		t.fail(p.name, "has test files and no test that runs")
	}
}

// addTargets notes p's fuzz targets; one without a seed fails, since a target
// that starts from nothing finds nothing, and passes all the same.
func (t *tally) addTargets(p *packageRun) {
	seeds := map[string]int{}
	for name, test := range p.tests {
		if !strings.HasPrefix(name, "Fuzz") || test.action == "skip" {
			continue
		}
		top, _, isSeed := strings.Cut(name, "/")
		if _, known := seeds[top]; !known {
			seeds[top] = 0
		}
		if isSeed {
			seeds[top]++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(seeds)) {
		t.targets = append(t.targets, target{p.name, name, seeds[name]})
		if seeds[name] == 0 {
			t.fail(p.name+"."+name, "fuzz target without seeds: add f.Add or testdata/fuzz/"+name)
		}
	}
}

// summary prints every skip and failure by name, then the totals, and reports
// whether all is well.
func (t *tally) summary(out io.Writer, root bool) bool {
	byName := func(a, b verdict) int { return cmp.Compare(a.name, b.name) }
	slices.SortFunc(t.skipped, byName)
	for _, s := range t.skipped {
		fmt.Fprintf(out, "skipped: %s: %s\n", s.name, s.why)
	}
	for _, f := range t.failed {
		fmt.Fprintf(out, "failed: %s: %s\n", f.name, f.why)
	}
	well := len(t.failed) == 0
	if len(t.skipped) > 0 && root {
		fmt.Fprintln(out, "A skip fails here: root can set up all that a test needs.")
		well = false
	}
	if t.passed == 0 {
		fmt.Fprintln(out, "No test passed.")
		well = false
	}
	fmt.Fprintf(out, "%d passed, %d failed, %d skipped\n", t.passed, len(t.failed), len(t.skipped))
	return well
}

// ancestors yields the names of the tests that name is a subtest of.
func ancestors(name string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for i, r := range name {
			if r == '/' && !yield(name[:i]) {
				return
			}
		}
	}
}
