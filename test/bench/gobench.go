//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// result is one line of `go test -bench`: the name without its suffix of
// processors, and nanoseconds an operation.
var result = regexp.MustCompile(`^(Benchmark\S+?)(?:-\d+)?\s+\d+\s+([0-9.]+) ns/op`)

// goBenchmarks runs the benchmarks of a package that match an expression, on
// one processor, and returns the lowest of the rounds by name. Each round runs
// all of them, so that a busy machine meets figure and floor alike.
func goBenchmarks(ctx context.Context, pkg, expression string, rounds int) (map[string]float64, error) {
	lowest := map[string]float64{}
	for range rounds {
		cmd := exec.CommandContext(ctx, "go", "test", "-run=^$", "-cpu=1", "-benchtime=300ms", "-count=1", "-bench="+expression, pkg) // #nosec G204 -- this file's own words
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("go test -bench %s: %w\n%s", pkg, err, out)
		}
		for line := range bytes.Lines(out) {
			match := result.FindSubmatch(line)
			if match == nil {
				continue
			}
			ns, err := strconv.ParseFloat(string(match[2]), 64)
			if err != nil {
				return nil, err
			}
			if before, ok := lowest[string(match[1])]; !ok || ns < before {
				lowest[string(match[1])] = ns
			}
		}
	}
	return lowest, nil
}

// pick takes figures by name, all of which must be there.
func pick(from map[string]float64, names ...string) ([]value, error) {
	values := make([]value, len(names))
	for i, name := range names {
		ns, ok := from[name]
		if !ok {
			return nil, fmt.Errorf("no benchmark %s; there are %v", name, from)
		}
		values[i] = nanoseconds(ns)
	}
	return values, nil
}

// engine measures the policy engine in process.
func engine(ctx context.Context, rounds int) ([]line, error) {
	all, err := goBenchmarks(ctx, "./pdp/policy", "^BenchmarkEngine$/^decide$/^portals$", rounds)
	if err != nil {
		return nil, err
	}
	sizes := []struct {
		policies string
		limit    time.Duration
	}{{"1", 3 * time.Microsecond}, {"100", 8 * time.Microsecond}, {"1000", 30 * time.Microsecond}}
	var lines []line
	for _, s := range sizes {
		v, err := pick(all, "BenchmarkEngine/decide/portals/"+s.policies)
		if err != nil {
			return nil, err
		}
		lines = append(lines, line{name: "engine, policies: " + s.policies, figure: v[0], limit: nanoseconds(float64(s.limit))})
	}
	return lines, nil
}

// envoys measures a known session's Check over gRPC beside a bare handler's; the
// CPU of both ends counts.
func envoys(ctx context.Context, rounds int) ([]line, error) {
	all, err := goBenchmarks(ctx, "./pdp/decision", "^BenchmarkCheck$", rounds)
	if err != nil {
		return nil, err
	}
	v, err := pick(all, "BenchmarkCheck/known", "BenchmarkCheck/floor")
	if err != nil {
		return nil, err
	}
	return []line{{name: "ext_authz Check, known session, both ends", figure: v[0], floor: v[1], ratio: 1.3}}, nil
}

// quotes measures the verification of a quote beside a bare ECDSA one.
func quotes(ctx context.Context, rounds int) ([]line, error) {
	all, err := goBenchmarks(ctx, "./pdp/verifier/quote", "^BenchmarkVerify$/^(floor|quote)$", rounds)
	if err != nil {
		return nil, err
	}
	v, err := pick(all, "BenchmarkVerify/quote", "BenchmarkVerify/floor")
	if err != nil {
		return nil, err
	}
	return []line{{name: "quote verification", figure: v[0], floor: v[1], ratio: 1.15}}, nil
}

// eventLogs measures parsing, replaying and reading a public log of 34 KB,
// beside the digests that it cannot do without. Devices send a log after a
// restart alone, so that no budget is set for it.
func eventLogs(ctx context.Context, rounds int) ([]line, error) {
	all, err := goBenchmarks(ctx, "./pdp/verifier/eventlog", "^BenchmarkRead$/^(floor|read)$", rounds)
	if err != nil {
		return nil, err
	}
	v, err := pick(all, "BenchmarkRead/read", "BenchmarkRead/floor")
	if err != nil {
		return nil, err
	}
	return []line{{name: "event log of 34 KB", figure: v[0], floor: v[1]}}, nil
}

// attestations measures a whole appraisal beside a bare ECDSA verification: the
// first of a boot, with its log, and one in which nothing changed.
func attestations(ctx context.Context, rounds int) ([]line, error) {
	all, err := goBenchmarks(ctx, "./pdp/verifier", "^BenchmarkAttestation$/^(floor|first|unchanged)$", rounds)
	if err != nil {
		return nil, err
	}
	v, err := pick(all, "BenchmarkAttestation/floor", "BenchmarkAttestation/first", "BenchmarkAttestation/unchanged")
	if err != nil {
		return nil, err
	}
	return []line{
		{name: "whole attestation, unchanged", figure: v[2], floor: v[0], ratio: 1.5},
		{name: "whole attestation, first, log of 34 KB", figure: v[1], floor: v[0]},
	}, nil
}
