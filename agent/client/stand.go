package client

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"slices"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Pace of the standing connection.
const (
	firstBackoff = 500 * time.Millisecond
	lastBackoff  = 30 * time.Second
	// pollMargin is how much later than the PDP the agent gives up on a poll.
	pollMargin = 10 * time.Second
	// settled is how long a poll must be out before the connection counts as
	// standing: a refusal comes sooner.
	settled = time.Second
	// leastPause keeps a PDP that answers at once from being asked in a circle.
	leastPause = 250 * time.Millisecond
	// maxRemembered bounds the commands whose repetition is recognised.
	maxRemembered = 64
)

// Stand keeps a long poll open until ctx ends (design: protocols, Silence).
// handle gets each command once; state is told nil when the connection stands
// and the error when it does not. Both must return quickly.
func (c *Client) Stand(ctx context.Context, handle func(wire.Command), state func(error)) {
	backoff := firstBackoff
	var done []string
	for ctx.Err() == nil {
		began := time.Now()
		answer, dropped, err := c.poll(ctx, state)
		switch {
		case ctx.Err() != nil:
			return
		case dropped: // by Reconnect
			continue
		case err != nil:
			state(err)
			pause(ctx, jitter(backoff))
			backoff = min(2*backoff, lastBackoff)
			continue
		}
		state(nil)
		backoff = firstBackoff
		for _, command := range answer.Commands {
			if !slices.Contains(done, command.ID) {
				done = append(done, command.ID)
				handle(command)
			}
		}
		done = done[max(0, len(done)-maxRemembered):]
		if time.Since(began) < leastPause {
			pause(ctx, leastPause)
		}
	}
}

// poll asks once. dropped says that Reconnect ended it.
func (c *Client) poll(ctx context.Context, state func(error)) (answer wire.PollAnswer, dropped bool, err error) {
	own, cancel := context.WithTimeout(ctx, wire.PollLife+pollMargin)
	defer cancel()
	c.mu.Lock()
	c.drop = cancel
	c.mu.Unlock()
	traced := httptrace.WithClientTrace(own, &httptrace.ClientTrace{WroteRequest: func(w httptrace.WroteRequestInfo) {
		if w.Err == nil {
			time.AfterFunc(settled, func() {
				if own.Err() == nil { // still out
					state(nil)
				}
			})
		}
	}})
	err = c.caller.call(traced, c.standing, http.MethodGet, "/v1/poll", nil, &answer)
	return answer, err != nil && own.Err() == context.Canceled && ctx.Err() == nil, err
}

// jitter spreads a wait over half of it to the whole, so that a fleet does not
// come back in step.
func jitter(d time.Duration) time.Duration {
	return d/2 + rand.N(d/2) // #nosec G404 -- spreads load, protects nothing
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
