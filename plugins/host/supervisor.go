//go:build linux

package host

import (
	"context"
	"errors"
	"sync"
	"time"
	"unicode"
)

// Backoff between two lives of a plugin; a life of steadyAfter starts it anew.
const (
	firstBackoff = 100 * time.Millisecond
	maxBackoff   = 30 * time.Second
	steadyAfter  = time.Minute
)

var (
	errEnded    = errors.New("plugin: the process ended")
	errUnusable = errors.New("plugin: too many unusable answers in a row")
)

// supervisor owns one plugin: one goroutine starts it, watches it and starts
// it again.
type supervisor struct {
	host     *Host
	name     string
	tried    chan struct{} // closed after the first attempt to start
	calls    chan struct{} // a token for each call under way
	upgrades chan upgrade
	took     latencies

	// learning is held for reading while a lesson is given, and taken to begin
	// a queue: what is under way then is in the state that is handed over.
	learning sync.RWMutex

	mu      sync.Mutex
	config  *Config   // replaced, never changed
	current *instance // nil while the plugin is down
	next    *instance // up, but still being taught
	queue   []lesson  // for next
	lost    bool      // a lesson that next needs had no room
	since   time.Time // it is up or down
	why     string    // it is down
	falls   int
	box     sandbox
	says    description
	speaks  int // version of the contract
}

func newSupervisor(h *Host, c *Config) *supervisor {
	return &supervisor{
		host: h, name: c.Name, config: c, tried: make(chan struct{}), calls: make(chan struct{}, maxCalls),
		upgrades: make(chan upgrade), since: h.options.Clock(), why: "it has not been started yet",
	}
}

func (s *supervisor) configuration() *Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.config
}

// run lives as long as ctx.
func (s *supervisor) run(ctx context.Context) {
	backoff := firstBackoff
	var once sync.Once
	var asked upgrade // that came while the plugin was down
	for ctx.Err() == nil {
		began := time.Now()
		err := s.live(ctx, func() {
			once.Do(func() { close(s.tried) })
			asked.answer(nil)
		})
		asked.answer(err)
		asked = upgrade{}
		if ctx.Err() == nil {
			s.fell(err)
		}
		once.Do(func() { close(s.tried) })
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) >= steadyAfter {
			backoff = firstBackoff
		}
		s.host.options.Logger.Error("plugin is down", "plugin", s.name, "reason", short(err), "retry_in", backoff)
		select {
		case <-ctx.Done():
		case <-time.After(backoff):
			backoff = min(2*backoff, maxBackoff)
		case asked = <-s.upgrades:
			s.mu.Lock()
			s.config = asked.config
			s.mu.Unlock()
			backoff = firstBackoff
		}
	}
}

// maxWhy bounds what is told of a plugin's end: its own output may be in it.
const maxWhy = 256

func short(err error) string {
	text := []rune(err.Error())
	for i, r := range text {
		if !unicode.IsPrint(r) { // C1 controls and what turns a text round, too
			text[i] = ' '
		}
	}
	return string(text[:min(len(text), maxWhy)])
}

func (s *supervisor) fell(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.falls++
	s.since, s.why = s.host.options.Clock(), short(err)
}

// live is one life of the plugin, through all its upgrades: start, teach,
// serve, end.
func (s *supervisor) live(ctx context.Context, ready func()) error {
	i, err := s.host.startInstance(ctx, s.configuration())
	if err != nil {
		return err
	}
	defer func() { i.end() }() // the last one
	s.begin(i)
	defer s.close()
	if err := s.replay(ctx, i); err != nil {
		return err
	}
	if err := s.open(ctx, i); err != nil {
		return err
	}
	s.host.options.Logger.Info("plugin is up", "plugin", s.name)
	s.host.options.Changed(s.name, true)
	defer s.host.options.Changed(s.name, false)
	defer s.close() // before the change is told
	ready()
	i, err = s.watch(ctx, i)
	return err
}

// close has the plugin asked and taught no more.
func (s *supervisor) close() {
	s.mu.Lock()
	s.current, s.next, s.queue = nil, nil, nil
	s.mu.Unlock()
}

// watch returns the instance that lived last and why it ended.
func (s *supervisor) watch(ctx context.Context, i *instance) (*instance, error) {
	beat := time.NewTicker(s.host.options.HealthEvery)
	defer beat.Stop()
	var retiring sync.WaitGroup
	defer retiring.Wait()
	for {
		var err error
		select {
		case <-ctx.Done():
			return i, ctx.Err()
		case <-i.running().ended:
			return i, errEnded
		case <-i.failed:
			return i, errUnusable
		case <-beat.C:
			err = i.healthy(ctx)
		case u := <-s.upgrades:
			old := i
			i, err = s.exchange(ctx, old, u)
			if i != old {
				retiring.Go(old.retire)
			}
		}
		if err != nil {
			return i, err
		}
	}
}

// exchange prepares another instance while i goes on, and returns the one that
// serves now. Its error is the end of both.
func (s *supervisor) exchange(ctx context.Context, i *instance, u upgrade) (*instance, error) {
	prepared := make(chan result, 1)
	go func() { prepared <- s.prepare(ctx, u.config, i) }()
	ended, failed := i.running().ended, i.failed
	var died error
	for {
		select {
		case <-ended:
			died, ended, failed = errEnded, nil, nil
			s.drop(i)
		case <-failed:
			died, failed = errUnusable, nil
		case r := <-prepared:
			u.answer(r.err)
			if r.err != nil {
				return i, died
			}
			return r.instance, nil
		}
	}
}

// drop has an instance that died asked no more.
func (s *supervisor) drop(i *instance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == i {
		s.current = nil
	}
}
