//go:build linux

package host

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// maxCalls bounds the calls of one plugin that are under way.
const maxCalls = 64

// asking returns the instance that serves, which lives until done is called.
func (s *supervisor) asking() (i *instance, c *Config) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil {
		s.current.asked.Add(1)
	}
	return s.current, s.config
}

// assess asks the plugin, within its deadline whatever it does.
func (s *supervisor) assess(ctx context.Context, o wire.Observation) wire.Verdict {
	now := s.host.options.Clock().UTC()
	i, config := s.asking()
	if i == nil {
		return missing(config, reason.PluginDown, now)
	}
	defer i.asked.Done()
	select {
	case s.calls <- struct{}{}:
		defer func() { <-s.calls }()
	default:
		return missing(i.config, reason.PluginLate, now)
	}
	verdict, err := s.ask(ctx, i, o, now)
	switch {
	case err == nil:
		return verdict
	case errors.Is(err, errOutOfBounds):
		return missing(i.config, reason.PluginNonsense, now)
	case status.Code(err) == codes.DeadlineExceeded:
		return missing(i.config, reason.PluginLate, now)
	default:
		return missing(i.config, reason.PluginDown, now)
	}
}

func (s *supervisor) ask(ctx context.Context, i *instance, o wire.Observation, now time.Time) (verdict wire.Verdict, err error) {
	began := time.Now()
	call, cancel := context.WithTimeout(ctx, i.config.Deadline)
	defer cancel()
	answer, err := i.rpc.Assess(call, only(i.says.features, o))
	if err == nil {
		verdict, err = checked(i.config, &i.says, answer, now)
	}
	if ctx.Err() == nil {
		s.answered(i, err)
		took := time.Since(began)
		s.took.add(took)
		s.host.options.Took(s.name, took)
	}
	return verdict, err
}

// answered counts unusable answers in a row, and gives the instance up after
// too many.
func (s *supervisor) answered(i *instance, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.current != i:
	case err == nil:
		i.bad = 0
	default:
		if i.bad++; i.bad >= maxBadAnswers {
			s.current = nil // it is asked no more, so this happens once
			close(i.failed)
		}
	}
}

// giveUp has an instance asked no more and replaced, if it serves.
func (s *supervisor) giveUp(i *instance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == i {
		s.current = nil
		close(i.failed)
	}
}
