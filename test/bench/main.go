//go:build linux

// Command bench is what `make bench` runs: it measures what the product
// promises of its own cost and prints one line a budget: name, figure, floor,
// ratio, budget, ok or short. The floor is what the same work costs at the
// least, measured in the same run on the same machine, so that a busy machine
// moves both. The lowest of several rounds counts.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"syscall"
)

func main() {
	if is, err := serveVerb(os.Args); is {
		fail(err)
		return
	}
	only := flag.String("run", "", "measure the budgets whose names match this expression")
	rounds := flag.Int("rounds", 4, "rounds of each measurement")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	expression, err := regexp.Compile(*only)
	fail(err)
	fail(run(ctx, expression, *rounds))
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures every budget that is asked for. One that is short is said, and
// is no error: a figure is for people to judge.
func run(ctx context.Context, only *regexp.Regexp, rounds int) error {
	table := newTable(os.Stdout)
	for _, b := range budgets {
		if !only.MatchString(b.name) {
			continue
		}
		lines, err := b.measure(ctx, rounds)
		if err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
		for _, l := range lines {
			table.print(l)
		}
	}
	return nil
}
