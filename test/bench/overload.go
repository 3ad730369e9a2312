//go:build linux

package main

import "context"

// overloads measures the wait that one in a hundred known sessions exceeds, on
// one processor, while strangers flood the web's port as fast as another can,
// beside the same without them.
func overloads(ctx context.Context, rounds int) (lines []line, err error) {
	all, err := goBenchmarks(ctx, "./pdp", "^BenchmarkOverload$", rounds)
	if err != nil {
		return nil, err
	}
	for _, flood := range []struct{ name, is string }{{"sign-ins", "2,000 sign-ins at once"}, {"resets", "streams opened and reset"}} {
		v, err := pick(all, "BenchmarkOverload/"+flood.name+"/flooded", "BenchmarkOverload/"+flood.name+"/calm")
		if err != nil {
			return nil, err
		}
		lines = append(lines, line{name: "p99, known session, " + flood.is, figure: v[0], floor: v[1], ratio: 5})
	}
	return lines, nil
}
