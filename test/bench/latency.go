//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"time"
)

// latencies tells how long a known session's answer takes over so many
// connections that all ask at once, beside a bare handler's.
func latencies(ctx context.Context, rounds int) (lines []line, err error) {
	dir, err := os.MkdirTemp("", "menshen-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	known, err := startServer(ctx, "serve-decision", dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, known.stop()) }()
	bare, err := startServer(ctx, "serve-floor", dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, bare.stop()) }()
	bare.request = known.request
	for _, many := range []int{1, 32, 256} {
		var p50, p99 line
		p50.name, p99.name = fmt.Sprintf("latency p50, %d connections", many), fmt.Sprintf("latency p99, %d connections", many)
		for range rounds {
			if err := quickest(ctx, bare, many, &p50.floor, &p99.floor); err != nil {
				return nil, err
			}
			if err := quickest(ctx, known, many, &p50.figure, &p99.figure); err != nil {
				return nil, err
			}
		}
		lines = append(lines, p50, p99)
	}
	return lines, nil
}

// quickest measures once more and keeps the lower percentiles.
func quickest(ctx context.Context, c *child, many int, p50, p99 *value) error {
	times, err := c.times(ctx, many, loadTime/2)
	if err != nil {
		return err
	}
	if len(times) == 0 {
		return errors.New("nothing was answered")
	}
	slices.Sort(times)
	for _, p := range []struct {
		into  *value
		share float64
	}{{p50, .5}, {p99, .99}} {
		ns := float64(times[int(p.share*float64(len(times)-1))])
		if p.into.amount == 0 || ns < p.into.amount {
			*p.into = nanoseconds(ns)
		}
	}
	return nil
}

// times drives the server over many connections and returns how long each
// answer took.
func (c *child) times(ctx context.Context, many int, d time.Duration) ([]time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var (
		mu    sync.Mutex
		all   []time.Duration
		group sync.WaitGroup
	)
	faults := make(chan error, many)
	for range many {
		group.Go(func() {
			own, err := c.timed(ctx)
			if err != nil {
				faults <- err
				return
			}
			mu.Lock()
			all = append(all, own...)
			mu.Unlock()
		})
	}
	group.Wait()
	close(faults)
	return all, <-faults
}

func (c *child) timed(ctx context.Context) (times []time.Duration, err error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", c.address)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	reader := bufio.NewReader(conn)
	for ctx.Err() == nil {
		began := time.Now()
		if _, err := conn.Write([]byte(c.request)); err != nil {
			return nil, err
		}
		if err := c.take(reader); err != nil {
			return nil, err
		}
		times = append(times, time.Since(began))
	}
	return times, nil
}
