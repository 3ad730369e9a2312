package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// event is one line of `go test -json` (see `go doc test2json` and `go help
// buildjson`).
type event struct {
	Action      string
	Package     string
	ImportPath  string // of build-output and build-fail
	Test        string
	Output      string
	Elapsed     float64
	FailedBuild string
}

// testRun is one test while and after it runs; action is empty until it ends.
type testRun struct {
	action string
	output []string
}

// complaint is what t.Error, t.Fatal and t.Skip print: a place and a text.
var complaint = regexp.MustCompile(`^\S+\.go:\d+: `)

// maxReason bounds what the summary repeats of a test.
const maxReason = 300

// reason is the first complaint of the test or, where there is none, the last
// thing that it said.
func (t *testRun) reason() string {
	reason := "no reason given"
	for _, text := range t.output {
		line := strings.TrimSpace(text)
		switch {
		case complaint.MatchString(line):
			return shorten(line)
		case line != "" && !strings.HasPrefix(line, "---") && !strings.HasPrefix(line, "==="):
			reason = line
		}
	}
	return shorten(reason)
}

func shorten(text string) string {
	if runes := []rune(text); len(runes) > maxReason {
		return string(runes[:maxReason]) + " …"
	}
	return text
}

// packageRun is one package while its tests run.
type packageRun struct {
	name   string
	action string
	tests  map[string]*testRun
	output []string // what no test said
	broken bool     // it could not be built
}

// reader turns a stream of events into finished packages.
type reader struct {
	out      io.Writer
	module   string
	tell     bool // print each top-level test as it ends
	packages map[string]*packageRun
	builds   map[string][]string
	done     func(*packageRun)
}

func newReader(out io.Writer, module string, tell bool, done func(*packageRun)) *reader {
	return &reader{out: out, module: module, tell: tell, done: done, packages: map[string]*packageRun{}, builds: map[string][]string{}}
}

// read takes events until the stream ends. A package that began and did not
// end is reported as failed.
func (r *reader) read(stream io.Reader) error {
	lines := bufio.NewReader(stream)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) == nil && e.Action != "" {
				r.take(e)
			} else {
				fmt.Fprintf(r.out, "%s", line)
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	for _, p := range r.packages {
		p.action = "fail"
		p.output = append(p.output, "the package's tests did not end\n")
		r.finish(p, event{})
	}
	return nil
}

func (r *reader) take(e event) {
	if e.ImportPath != "" { // a build, not a test
		r.builds[e.ImportPath] = append(r.builds[e.ImportPath], e.Output)
		return
	}
	p := r.packages[e.Package]
	if p == nil {
		p = &packageRun{name: r.short(e.Package), tests: map[string]*testRun{}}
		r.packages[e.Package] = p
	}
	if e.Test == "" {
		r.takePackage(p, e)
		return
	}
	t := p.tests[e.Test]
	if t == nil {
		t = &testRun{}
		p.tests[e.Test] = t
	}
	switch e.Action {
	case "output":
		t.output = append(t.output, e.Output)
	case "pass", "fail", "skip":
		t.action = e.Action
		if r.tell && !strings.Contains(e.Test, "/") {
			fmt.Fprintf(r.out, "  %s %s %.1fs\n", e.Action, e.Test, e.Elapsed)
		}
	}
}

func (r *reader) takePackage(p *packageRun, e event) {
	switch e.Action {
	case "output":
		p.output = append(p.output, e.Output)
	case "skip": // no test files
		delete(r.packages, e.Package)
	case "pass", "fail":
		p.action, p.broken = e.Action, e.FailedBuild != ""
		p.output = append(p.output, r.builds[e.FailedBuild]...)
		delete(r.packages, e.Package)
		r.finish(p, e)
	}
}

// finish prints a package's line and, where it failed, all that its failed
// tests said.
func (r *reader) finish(p *packageRun, e event) {
	word := map[string]string{"pass": "ok  ", "fail": "FAIL"}[p.action]
	fmt.Fprintf(r.out, "%s %s %d tests %.1fs\n", word, p.name, len(p.tests), e.Elapsed)
	if p.action == "fail" {
		for name, t := range p.tests {
			if t.action != "pass" && t.action != "skip" {
				fmt.Fprintf(r.out, "  %s\n%s", name, indent(t.output))
			}
		}
		fmt.Fprint(r.out, indent(p.output))
	}
	r.done(p)
}

func (r *reader) short(pkg string) string {
	return strings.TrimPrefix(strings.TrimPrefix(pkg, r.module), "/")
}

func indent(lines []string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.Join(lines, "")) {
		b.WriteString("    " + line)
	}
	return b.String()
}
