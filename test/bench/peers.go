//go:build linux

package main

import "context"

// peers measures what others ask for the same answer, beside the same floor.
func peers(ctx context.Context, rounds int) ([]line, error) {
	l, err := beside(ctx, rounds, func(dir string) (*child, error) { return opaServer(ctx, dir) })
	l.name = "peer: OPA, POST /v1/data, no token"
	return []line{l}, err
}
