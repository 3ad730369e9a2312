//go:build linux

package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/menshen-zt/menshen/plugins/contract"
)

// upgrade asks a supervisor to go over to another configuration.
type upgrade struct {
	config *Config
	done   chan<- error // has room for the answer
}

// answer tells the asker how it went, once.
func (u *upgrade) answer(err error) {
	if u.done != nil {
		u.done <- err
		u.done = nil
	}
}

type result struct {
	instance *instance
	err      error
}

// prepare starts another instance beside from, hands it the state, teaches it
// what came meanwhile, and has it asked from then on.
func (s *supervisor) prepare(ctx context.Context, c *Config, from *instance) result {
	next, err := s.host.startInstance(ctx, c)
	if err != nil {
		return result{err: err}
	}
	s.begin(next)
	err = s.inherit(ctx, from, next)
	if errors.Is(err, errUnsure) {
		s.abandon(next)
		next.end()
		if next, err = s.host.startInstance(ctx, c); err != nil {
			return result{err: err}
		}
		s.begin(next)
		err = s.replay(ctx, next)
	}
	if err == nil {
		err = s.open(ctx, next)
	}
	if err != nil {
		s.abandon(next)
		next.end()
		return result{err: err}
	}
	s.host.options.Logger.Info("plugin is exchanged", "plugin", s.name, "version", next.says.version)
	return result{instance: next}
}

// inherit gives next what from knows; where that does not work, the past is
// replayed to it as after every start.
func (s *supervisor) inherit(ctx context.Context, from, next *instance) error {
	bytes, err := handOver(ctx, from, next, s.host)
	if err == nil && bytes > 0 {
		s.host.options.Logger.Info("plugin's state is handed over", "plugin", s.name, "bytes", bytes)
		return nil
	}
	if err != nil {
		s.host.options.Logger.Warn("plugin's state is not handed over; it is taught again", "plugin", s.name, "reason", short(err))
	}
	if errors.Is(err, errUnsure) {
		return err
	}
	return s.replay(ctx, next)
}

// errUnsure says that a plugin was given a whole state and did not answer: it
// may take the state later, over what it is taught and has forgotten by then.
var errUnsure = errors.New("plugin: it may still take the state")

// handOver passes the state from one process to the other and keeps no more
// than a piece of it.
func handOver(ctx context.Context, from, next *instance, h *Host) (int64, error) {
	if from.rpc.Contract() < contract.Version || next.rpc.Contract() < contract.Version {
		return 0, contract.ErrOldContract
	}
	ctx, cancel := context.WithTimeout(ctx, h.options.StartTimeout)
	defer cancel()
	r, w := io.Pipe()
	state := &counted{to: w}
	exported := make(chan error, 1)
	go func() {
		err := from.rpc.Export(ctx, state)
		_ = w.CloseWithError(err) // the end of the file where there is none
		exported <- err
	}()
	err := next.rpc.Import(ctx, r)
	_ = r.CloseWithError(err) // lets the exporter go
	switch exportErr := <-exported; {
	case exportErr != nil: // its end was never sent
		err = errors.Join(exportErr, err)
	case ctx.Err() != nil && err != nil, status.Code(err) == codes.DeadlineExceeded:
		err = errors.Join(errUnsure, err)
	}
	return state.bytes, err
}

type counted struct {
	to    io.Writer
	bytes int64
}

// Write implements io.Writer.
func (c *counted) Write(p []byte) (int, error) {
	n, err := c.to.Write(p)
	c.bytes += int64(n)
	return n, err
}

// retire ends an instance that is asked no more, once its last calls are
// answered; each has its deadline.
func (i *instance) retire() {
	i.asked.Wait()
	i.end()
}

// Change is what became of one plugin when a configuration was applied.
type Change struct {
	Plugin string `json:"plugin"`
	// What is started, exchanged or stopped.
	What string `json:"what"`
	// Err says why it did not work; the plugin goes on as before, or is tried
	// again if it is new.
	Err error `json:"-"`
}

// Values of Change.What.
const (
	ChangeStarted   = "started"
	ChangeExchanged = "exchanged"
	ChangeStopped   = "stopped"
)

// Apply goes over to another registration. What is new is started, what is
// gone is stopped, and what differs is exchanged without a verdict missed: the
// new program runs, has the old one's state and what came meanwhile before it
// is asked in its place. Nothing changes if the registration itself is wrong.
func (h *Host) Apply(ctx context.Context, plugins []Config) ([]Change, error) {
	h.applying.Lock()
	defer h.applying.Unlock()
	wanted, err := h.register(plugins)
	if err != nil {
		return nil, err
	}
	if h.living.Err() != nil {
		return nil, fmt.Errorf("plugin: %w", h.living.Err())
	}
	before, now := h.all(), make([]*supervisor, 0, len(wanted))
	changes := []Change{}
	var added []*supervisor
	for _, c := range wanted {
		at := slices.IndexFunc(before, func(s *supervisor) bool { return s.name == c.Name })
		if at < 0 {
			s := newSupervisor(h, c)
			added, now = append(added, s), append(now, s)
			continue
		}
		now = append(now, before[at])
		if !reflect.DeepEqual(before[at].configuration(), c) {
			changes = append(changes, Change{Plugin: c.Name, What: ChangeExchanged, Err: before[at].upgrade(ctx, h.living, c)})
		}
	}
	h.supervisors.Store(&now)
	for _, s := range before {
		if !slices.Contains(now, s) {
			h.end(s)
			changes = append(changes, Change{Plugin: s.name, What: ChangeStopped})
		}
	}
	return append(changes, h.launch(ctx, added)...), nil
}

// launch starts supervisors and waits until each was tried once.
func (h *Host) launch(ctx context.Context, all []*supervisor) []Change {
	var changes []Change
	for _, s := range all {
		h.begin(s)
	}
	for _, s := range all {
		change := Change{Plugin: s.name, What: ChangeStarted}
		select {
		case <-s.tried:
			change.Err = s.trouble()
		case <-ctx.Done():
			change.Err = ctx.Err()
		}
		changes = append(changes, change)
	}
	return changes
}

// upgrade asks the supervisor, which lives as long as living, to take c.
func (s *supervisor) upgrade(ctx, living context.Context, c *Config) error {
	done := make(chan error, 1)
	select {
	case s.upgrades <- upgrade{config: c, done: done}:
	case <-ctx.Done():
		return ctx.Err()
	case <-living.Done():
		return living.Err()
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
