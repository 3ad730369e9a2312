// Command runner is what `make test` runs: it builds every binary, vets, runs
// the unit tests under the race detector, the end-to-end tests with the real
// binaries, and each fuzz target for a few seconds. It names every test that
// failed or was skipped and ends with the line "N passed, N failed, N skipped".
//
// Guarantees: no result is read from a cache; a package that has tests of
// which none ran fails; a fuzz target without seeds fails; as root, where all
// that a test needs can be set up, a skip fails.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(command(ctx, os.Args[1:], os.Stdout))
}

// command runs the stages that the arguments ask for and returns the exit
// status.
func command(ctx context.Context, args []string, out io.Writer) int {
	flags := flag.NewFlagSet("runner", flag.ContinueOnError)
	flags.SetOutput(out)
	dir := flags.String("C", ".", "the module's folder")
	only := flags.String("stages", strings.Join(stageNames(), ","), "stages to run, in this order")
	fuzzTime := flags.Duration("fuzztime", 3*time.Second, "how long each fuzz target runs")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	r := &run{dir: *dir, out: out, fuzzTime: *fuzzTime, root: os.Geteuid() == 0, tally: newTally()}
	for name := range strings.SplitSeq(*only, ",") {
		if !slices.Contains(stageNames(), name) {
			fmt.Fprintf(out, "runner: no stage %q; there are %s\n", name, strings.Join(stageNames(), ", "))
			return 2
		}
	}
	return r.all(ctx, strings.Split(*only, ","))
}

// all runs the stages, stops after one whose fault makes the next ones
// pointless, and prints the totals.
func (r *run) all(ctx context.Context, names []string) int {
	for _, s := range stages {
		if !slices.Contains(names, s.name) {
			continue
		}
		fmt.Fprintf(r.out, "--- %s\n", s.name)
		began := time.Now()
		err := s.do(r, ctx)
		fmt.Fprintf(r.out, "--- %s: %s\n", s.name, time.Since(began).Round(100*time.Millisecond))
		if err != nil {
			r.tally.fail(s.name, err.Error())
		}
		if ctx.Err() != nil || (err != nil && s.needed) {
			break
		}
	}
	if !r.tally.summary(r.out, r.root) {
		return 1
	}
	return 0
}
