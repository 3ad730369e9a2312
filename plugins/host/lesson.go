//go:build linux

package host

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/plugins/contract"
)

// Bounds of what waits for a plugin that is being taught: observations beyond
// the first are left out, beyond the second the plugin is taught anew.
const (
	maxQueued = 1024
	maxNeeded = 2 * maxQueued
)

var errLost = errors.New("plugin: more happened than it could be taught meanwhile")

// lesson is something that an instance is to know.
type lesson func(ctx context.Context, i *instance) error

// begin has an instance that is up taught all that comes from now on.
func (s *supervisor) begin(next *instance) {
	s.learning.Lock()
	defer s.learning.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next, s.queue, s.lost = next, nil, false
	if s.current == nil {
		s.box = next.running().sandbox()
	}
}

// abandon gives up an instance that was to be taught.
func (s *supervisor) abandon(next *instance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == next {
		s.next, s.queue = nil, nil
	}
}

// replay teaches an instance the past.
func (s *supervisor) replay(ctx context.Context, i *instance) error {
	ctx, cancel := context.WithTimeout(ctx, replayDeadline)
	defer cancel()
	return s.host.options.Replay(ctx, func(batch []wire.Observation) error { return i.observe(ctx, batch) })
}

// open teaches an instance what came meanwhile, then has it asked.
func (s *supervisor) open(ctx context.Context, next *instance) error {
	ctx, cancel := context.WithTimeout(ctx, replayDeadline)
	defer cancel()
	for {
		waiting, err := s.waiting(next)
		if err != nil || len(waiting) == 0 {
			return err
		}
		for _, l := range waiting {
			if err := l(ctx, next); err != nil {
				return err
			}
		}
	}
}

// waiting takes the queue; an empty one opens the instance in the same moment.
func (s *supervisor) waiting(next *instance) ([]lesson, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting := s.queue
	s.queue = nil
	switch {
	case s.lost:
		return nil, errLost
	case len(waiting) > 0:
		return waiting, nil
	}
	if s.current == nil {
		s.since = s.host.options.Clock()
	}
	s.current, s.next, s.config = next, nil, next.config
	s.box, s.says, s.speaks, s.why = next.running().sandbox(), next.says, next.rpc.Contract(), ""
	return nil, nil
}

// hand gives a lesson to the instance that serves and queues it for the one
// that comes. A needed lesson that finds no room has the latter taught anew.
func (s *supervisor) hand(ctx context.Context, l lesson, needed bool) (*instance, error) {
	s.learning.RLock()
	defer s.learning.RUnlock()
	s.mu.Lock()
	i := s.current
	switch {
	case s.next == nil:
	case len(s.queue) < maxQueued, needed && len(s.queue) < maxNeeded:
		s.queue = append(s.queue, l)
	default:
		s.lost = s.lost || needed
	}
	s.mu.Unlock()
	if i == nil {
		return nil, nil // the next start replays it
	}
	err := l(ctx, i)
	if err != nil && ctx.Err() == nil {
		s.answered(i, err)
	}
	return i, err
}

func (s *supervisor) observe(ctx context.Context, o wire.Observation) {
	_, _ = s.hand(ctx, func(ctx context.Context, i *instance) error { return i.observe(ctx, []wire.Observation{o}) }, false) // counted by hand
}

// learn passes an officer's word on. A plugin of the old contract takes none.
func (s *supervisor) learn(ctx context.Context, o wire.Observation, genuine bool) error {
	_, err := s.hand(ctx, func(ctx context.Context, i *instance) error {
		ctx, cancel := context.WithTimeout(ctx, observeDeadline)
		defer cancel()
		err := i.rpc.Learn(ctx, contract.Feedback{Observation: only(i.says.features, o), Genuine: genuine})
		if errors.Is(err, contract.ErrOldContract) {
			return nil
		}
		return err
	}, true)
	if err != nil {
		return fmt.Errorf("plugin: %s: learn: %w", s.name, err)
	}
	return nil
}

// forget returns when nothing of the person is left in the plugin's memory. One
// that cannot forget, or does not answer, is ended: what it is taught after
// that comes from the records, which the caller has cleared.
func (s *supervisor) forget(ctx context.Context, person string) {
	ctx = context.WithoutCancel(ctx)
	i, err := s.hand(ctx, func(ctx context.Context, i *instance) error {
		ctx, cancel := context.WithTimeout(ctx, observeDeadline)
		defer cancel()
		return i.rpc.Forget(ctx, person)
	}, true)
	if err == nil {
		return
	}
	s.host.options.Logger.Warn("plugin does not forget and is started anew", "plugin", s.name, "reason", short(err))
	s.giveUp(i)
	i.kill()
	select {
	case <-i.running().ended:
	case <-time.After(endDeadline):
	}
}

// Observe teaches all plugins one observation. A plugin that is down learns it
// when it is started again, by Options.Replay: keep the observation first.
func (h *Host) Observe(ctx context.Context, o wire.Observation) {
	h.each(func(_ int, s *supervisor) { s.observe(ctx, o) })
}

// Learn passes an officer's word on an observation to all plugins. The error
// names those that did not take it.
func (h *Host) Learn(ctx context.Context, o wire.Observation, genuine bool) error {
	all := h.all()
	errs := make([]error, len(all))
	each(all, func(n int, s *supervisor) { errs[n] = s.learn(ctx, o, genuine) })
	return errors.Join(errs...)
}

// Forget returns when no plugin keeps anything of a person (a pseudonym, as in
// the observations). Clear the records that Options.Replay reads first.
func (h *Host) Forget(ctx context.Context, person string) {
	h.each(func(_ int, s *supervisor) { s.forget(ctx, person) })
}
