//go:build linux

package main

import (
	"context"
	"errors"
	"os"
)

// peers measures what others ask for the same answer, beside the same floor.
func peers(ctx context.Context, rounds int) (lines []line, err error) {
	dir, err := os.MkdirTemp("", "menshen-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	opa, err := opaServer(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, opa.stop()) }()
	bare, err := startServer(ctx, "serve-floor", dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, bare.stop()) }()
	l := line{name: "peer: OPA, POST /v1/data, no token"}
	for range rounds {
		if err := lowest(ctx, bare, &l.floor); err != nil {
			return nil, err
		}
		if err := lowest(ctx, opa, &l.figure); err != nil {
			return nil, err
		}
	}
	return []line{l}, nil
}
