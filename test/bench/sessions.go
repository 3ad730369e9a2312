//go:build linux

package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/session"
)

const (
	manySessions = 100_000
	arrivals     = 256 // sessions that begin at one time
)

// sessions tells what memory so many live sessions take, each with a decision,
// and what a decision costs among them.
func sessions(ctx context.Context, _ int) (lines []line, err error) {
	one, err := weigh(ctx, "serve-decision")
	if err != nil {
		return nil, err
	}
	all, err := weigh(ctx, "serve-sessions")
	if err != nil {
		return nil, err
	}
	each := (all.rss - one.rss) / manySessions
	return []line{
		{name: fmt.Sprintf("memory, %d live sessions", manySessions), figure: value{all.rss, "bytes"}},
		{name: "memory of one of them", figure: value{each, "B"}},
		{name: "CPU per decision among them", figure: all.cpu, floor: one.cpu},
	}, nil
}

type weight struct {
	rss float64 // bytes
	cpu value   // per decision
}

func weigh(ctx context.Context, name string) (w weight, err error) {
	dir, err := os.MkdirTemp("", "menshen-bench-")
	if err != nil {
		return w, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	c, err := startServer(ctx, name, dir)
	if err != nil {
		return w, err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	if err := lowest(ctx, c, &w.cpu); err != nil {
		return w, err
	}
	rss, _, err := inspect(c.cmd.Process.Pid, 10*time.Millisecond)
	w.rss = float64(rss)
	return w, err
}

// arrive begins so many sessions, each of a person of its own, has each decided
// once, and returns the first one's cookie and token.
func arrive(ctx context.Context, manager *session.Manager, portal wire.Portal, many int) (cookie, token string, err error) {
	var (
		all    sync.WaitGroup
		places = make(chan struct{}, arrivals)
		faults = make(chan error, many)
	)
	for n := range many {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			its, granted, err := enter(ctx, manager, portal, "per-"+strconv.Itoa(n+1))
			if err != nil {
				faults <- err
			}
			if n == 0 {
				cookie, token = its, granted
			}
		})
	}
	all.Wait()
	close(faults)
	return cookie, token, <-faults
}

func enter(ctx context.Context, manager *session.Manager, portal wire.Portal, person string) (cookie, token string, err error) {
	l := login(portal)
	l.SignIn.PersonID = person
	cookie, err = manager.Create(ctx, portal, l, address, [sha256.Size]byte{})
	if err != nil {
		return "", "", err
	}
	q := wire.AccessRequest{Portal: &portal, CookieHash: sha256.Sum256([]byte(cookie)), Address: address, Action: wire.ActionRead}
	for range 200 { // until the audit log is seen to take records
		if a := manager.Authorize(ctx, q); a.Outcome == wire.AccessGranted {
			return cookie, a.Token, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return "", "", errors.New("a session was never let in")
}
