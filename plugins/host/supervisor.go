//go:build linux

package host

import (
	"context"
	"errors"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Backoff between two lives of a plugin; a life of steadyAfter starts it anew.
const (
	firstBackoff = 100 * time.Millisecond
	maxBackoff   = 30 * time.Second
	steadyAfter  = time.Minute
)

// Bounds of what waits for one plugin.
const (
	maxCalls  = 64
	maxQueued = 1024
)

// supervisor owns one plugin: one goroutine starts it, watches it and starts
// it again.
type supervisor struct {
	host   *Host
	config Config
	tried  chan struct{} // closed after the first attempt to start
	calls  chan struct{} // a token for each call under way

	mu       sync.Mutex
	current  *instance // nil while the plugin is down
	teaching *instance // up, but still being replayed to
	queue    []wire.Observation
	failed   chan struct{} // closed when calls found the instance unusable
	bad      int           // unusable answers in a row
	box      sandbox
}

func newSupervisor(h *Host, c Config) *supervisor {
	return &supervisor{host: h, config: c, tried: make(chan struct{}), calls: make(chan struct{}, maxCalls)}
}

// run lives as long as ctx.
func (s *supervisor) run(ctx context.Context) {
	backoff := firstBackoff
	var once sync.Once
	for ctx.Err() == nil {
		began := time.Now()
		err := s.live(ctx, func() { once.Do(func() { close(s.tried) }) })
		once.Do(func() { close(s.tried) })
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) >= steadyAfter {
			backoff = firstBackoff
		}
		s.host.options.Logger.Error("plugin is down", "plugin", s.config.Name, "reason", err.Error(), "retry_in", backoff)
		select {
		case <-ctx.Done():
		case <-time.After(backoff):
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// live is one life of the plugin: start, teach, serve, end.
func (s *supervisor) live(ctx context.Context, ready func()) error {
	i, err := s.host.startInstance(ctx, &s.config)
	if err != nil {
		return err
	}
	defer i.end()
	failed := make(chan struct{})
	s.mu.Lock()
	s.teaching, s.failed, s.bad, s.box, s.queue = i, failed, 0, i.running().sandbox(), nil
	s.mu.Unlock()
	defer s.down()
	if err := s.teach(ctx, i); err != nil {
		return err
	}
	s.host.options.Logger.Info("plugin is up", "plugin", s.config.Name)
	s.host.options.Changed(s.config.Name, true)
	defer s.host.options.Changed(s.config.Name, false)
	defer s.down() // before the change is told
	ready()
	return s.watch(ctx, i, failed)
}

// teach replays the past, then what came meanwhile, then opens the plugin.
func (s *supervisor) teach(ctx context.Context, i *instance) error {
	ctx, cancel := context.WithTimeout(ctx, replayDeadline)
	defer cancel()
	if err := s.host.options.Replay(ctx, func(batch []wire.Observation) error { return i.observe(ctx, batch) }); err != nil {
		return err
	}
	for {
		s.mu.Lock()
		waiting := s.queue
		s.queue = nil
		if len(waiting) == 0 {
			s.current, s.teaching = i, nil
			s.mu.Unlock()
			return nil
		}
		s.mu.Unlock()
		if err := i.observe(ctx, waiting); err != nil {
			return err
		}
	}
}

func (s *supervisor) watch(ctx context.Context, i *instance, failed <-chan struct{}) error {
	beat := time.NewTicker(s.host.options.HealthEvery)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-i.running().ended:
			return errors.New("plugin: the process ended")
		case <-failed:
			return errors.New("plugin: too many unusable answers in a row")
		case <-beat.C:
			if err := i.healthy(ctx); err != nil {
				return err
			}
		}
	}
}

func (s *supervisor) down() {
	s.mu.Lock()
	s.current, s.teaching, s.queue = nil, nil, nil
	s.mu.Unlock()
}

func (s *supervisor) observe(ctx context.Context, o wire.Observation) {
	s.mu.Lock()
	i := s.current
	if s.teaching != nil && len(s.queue) < maxQueued {
		s.queue = append(s.queue, o)
	}
	s.mu.Unlock()
	if i == nil {
		return // the next start replays it
	}
	if err := i.observe(ctx, []wire.Observation{o}); err != nil {
		s.answered(i, err)
	}
}

// assess asks the plugin, within its deadline whatever it does.
func (s *supervisor) assess(ctx context.Context, o wire.Observation) wire.Verdict {
	now := s.host.options.Clock().UTC()
	s.mu.Lock()
	i := s.current
	s.mu.Unlock()
	if i == nil {
		return missing(&s.config, reason.PluginDown, now)
	}
	select {
	case s.calls <- struct{}{}:
		defer func() { <-s.calls }()
	default:
		return missing(&s.config, reason.PluginLate, now)
	}
	call, cancel := context.WithTimeout(ctx, s.config.Deadline)
	defer cancel()
	answer, err := i.rpc.Assess(call, only(i.says.features, o))
	var verdict wire.Verdict
	if err == nil {
		verdict, err = checked(&s.config, &i.says, answer, now)
	}
	if ctx.Err() == nil {
		s.answered(i, err)
	}
	switch {
	case err == nil:
		return verdict
	case errors.Is(err, errOutOfBounds):
		return missing(&s.config, reason.PluginNonsense, now)
	case status.Code(err) == codes.DeadlineExceeded:
		return missing(&s.config, reason.PluginLate, now)
	default:
		return missing(&s.config, reason.PluginDown, now)
	}
}

// answered counts unusable answers in a row, and gives the instance up after
// too many.
func (s *supervisor) answered(i *instance, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.current != i:
	case err == nil:
		s.bad = 0
	default:
		if s.bad++; s.bad >= maxBadAnswers {
			s.current = nil // it is asked no more, so this happens once
			close(s.failed)
		}
	}
}
