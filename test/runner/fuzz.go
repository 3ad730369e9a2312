package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// fuzz runs each fuzz target for a while. Its package is compiled once, with
// the fuzzer's instruments, for all its targets. What it finds lies in the
// package's testdata, ready to be committed.
func (r *run) fuzz(ctx context.Context) error {
	if !r.seeded { // asked for alone: find the targets and try their seeds
		if err := r.seeds(ctx); err != nil {
			return err
		}
	}
	work, err := os.MkdirTemp("", "menshen-fuzz-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	binaries := map[string]string{}
	for _, t := range r.tally.targets {
		if t.seeds == 0 { // counted as failed already
			continue
		}
		if _, built := binaries[t.pkg]; !built {
			binary := filepath.Join(work, strconv.Itoa(len(binaries))+".test")
			if err := r.command(ctx, "go", "test", "-c", "-fuzz=.", "-o", binary, "./"+t.pkg); err != nil {
				return err
			}
			binaries[t.pkg] = binary
		}
		r.fuzzOne(ctx, t, binaries[t.pkg], work)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

func (r *run) fuzzOne(ctx context.Context, t target, binary, work string) {
	began := time.Now()
	said, err := r.fuzzTarget(ctx, t, binary, work)
	if err != nil && onlyOutOfTime(said) {
		fmt.Fprintf(r.out, "again %s.%s: the fuzzer took the end of its time for a failure\n", t.pkg, t.name)
		said, err = r.fuzzTarget(ctx, t, binary, work)
	}
	if err != nil {
		fmt.Fprintf(r.out, "FAIL %s.%s\n%s", t.pkg, t.name, indent([]string{said}))
		r.tally.fail(t.pkg+"."+t.name, "fuzzing: "+err.Error())
		return
	}
	r.tally.passed++
	fmt.Fprintf(r.out, "ok   %s.%s %d seeds %.1fs\n", t.pkg, t.name, t.seeds, time.Since(began).Seconds())
}

func (r *run) fuzzTarget(ctx context.Context, t target, binary, work string) (said string, err error) {
	cmd := r.prepare(ctx, binary, "-test.run=^$", "-test.fuzz=^"+t.name+"$",
		"-test.fuzztime="+r.fuzzTime.String(), "-test.fuzzcachedir="+filepath.Join(work, t.pkg))
	cmd.Dir = filepath.Join(r.dir, t.pkg)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	return out.String(), err
}

// onlyOutOfTime reports whether a fuzz run failed for nothing but the fuzzer's
// own deadline, which Go's fuzzer on a busy machine mistakes for a failure. A
// failing input, a panic or any other complaint is not that.
func onlyOutOfTime(said string) bool {
	return strings.Contains(said, "context deadline exceeded") &&
		!strings.Contains(said, "Failing input") && !strings.Contains(said, "panic") && !strings.Contains(said, "_test.go:")
}

// seeds runs every fuzz target on its seeds alone.
func (r *run) seeds(ctx context.Context) error {
	packages, err := r.packages(ctx, func(pkg string) bool { return !endToEnd(pkg) })
	if err != nil {
		return err
	}
	r.seeded = true
	r.tally.filtered = true
	return r.test(ctx, false, append([]string{"-run=^Fuzz", "-timeout=10m"}, packages...))
}
