package appraisal

import (
	"context"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// redeliverAfter is when a command is sent again that led to no Evidence, or to
// no report: the answer to a long poll can be lost.
const redeliverAfter = 10 * time.Second

// command is one question that waits for its Evidence; a device has one at most.
type command struct {
	id      string
	askedAt time.Time
	sentAt  time.Time // zero until it was handed to a long poll
	done    chan struct{}
}

// Ask asks the device's agent to measure now, by its long poll. Done closes
// when Evidence was appraised whose nonce is newer than the question, or the
// device is gone for good. A question that stands already is joined.
func (a *Appraiser) Ask(deviceID string) (commandID string, done <-chan struct{}) {
	id, err := wire.NewID(wire.PrefixCommand, a.Random)
	if err != nil {
		a.Logger.Error("a device cannot be asked", "device", deviceID, "error", err)
		return "", make(chan struct{})
	}
	now := a.Clock().UTC()
	a.mu.Lock()
	defer a.mu.Unlock()
	d := a.known(deviceID)
	if d.command == nil {
		d.command = &command{id: id, askedAt: now, done: make(chan struct{})}
		d.ring()
	}
	return d.command.id, d.command.done
}

// Taken reports whether the agent's connection has taken a question that is not
// answered yet.
func (a *Appraiser) Taken(deviceID, commandID string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	d := a.devices[deviceID]
	return d != nil && d.command != nil && d.command.id == commandID && !d.command.sentAt.IsZero()
}

// Commands waits until there is something to ask of the device, or ctx ends.
// It is called while the device's connection stands.
func (a *Appraiser) Commands(ctx context.Context, deviceID string) []wire.Command {
	for {
		ready, wait, bell := a.ready(deviceID)
		if ready != nil {
			return ready
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-bell:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// ready hands out what is to be sent, or says how long to wait and what rings
// earlier. For a device that was forgotten the wait is over.
func (a *Appraiser) ready(deviceID string) ([]wire.Command, time.Duration, <-chan struct{}) {
	now := a.Clock()
	a.mu.Lock()
	defer a.mu.Unlock()
	d := a.devices[deviceID]
	if d == nil {
		return []wire.Command{}, 0, nil
	}
	if d.bell == nil {
		d.bell = make(chan struct{})
	}
	var ready []wire.Command
	wait := wire.PollLife
	hand := func(sentAt *time.Time, c wire.Command) {
		if left := due(*sentAt, now); left > 0 {
			wait = min(wait, left)
			return
		}
		*sentAt = now
		ready = append(ready, c)
	}
	if c := d.command; c != nil {
		hand(&c.sentAt, wire.Command{ID: c.id, Kind: wire.CommandMeasure})
	}
	if r := a.repairs[deviceID]; r != nil && r.awaited() && now.Before(r.ends) {
		hand(&r.sentAt, wire.Command{ID: r.id, Kind: wire.CommandRemedy, Claim: r.claim})
	}
	if ready != nil {
		return ready, 0, nil
	}
	return nil, wait, d.bell
}

// ring wakes the polls that wait. The lock is held.
func (d *device) ring() {
	if d.bell != nil {
		close(d.bell)
		d.bell = nil
	}
}
