package trust

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Run assesses every session again each Refresh, and at once when a plugin
// goes down or comes up or a device changes. It returns when ctx ends.
func (t *Trust) Run(ctx context.Context) {
	tick := time.NewTicker(t.config.Refresh)
	defer tick.Stop()
	for {
		all := true
		select {
		case <-ctx.Done():
			return
		case f := <-t.failures:
			t.fail(ctx, f)
			continue
		case <-tick.C:
		case <-t.wake:
			all = t.catchUp()
		}
		if all {
			t.refresh(ctx)
		}
	}
}

// news is what happened since Run looked last.
type news struct {
	down    map[string]bool
	devices map[string]bool
	people  map[string]bool
	// sessions are named, everybody is fused anew.
	sessions  map[string]bool
	everybody bool
	up        bool
}

// PluginChanged is made for host.Options.Changed and does not block. A plugin
// that went down counts as missing in every session at once.
func (t *Trust) PluginChanged(name string, up bool) {
	t.note(func(n *news) {
		if up {
			n.up = true
		} else {
			n.down[name] = true
		}
	})
}

// DeviceChanged fuses the sessions of a device anew. It does not block.
func (t *Trust) DeviceChanged(deviceID string) {
	t.note(func(n *news) { n.devices[deviceID] = true })
}

// OverrideChanged fuses anew whom an officer spoke of. It does not block.
func (t *Trust) OverrideChanged(o wire.TrustOverride) {
	t.note(func(n *news) { n.people[o.Person], n.devices[o.Device], n.sessions[o.Session] = true, true, true })
}

func (n *news) concern(s *Situation) bool {
	return n.everybody || len(n.down) > 0 || n.devices[s.DeviceID] || n.people[s.PersonID] || n.sessions[s.SessionID]
}

func (t *Trust) note(add func(*news)) {
	t.newsMu.Lock()
	add(&t.news)
	t.newsMu.Unlock()
	select {
	case t.wake <- struct{}{}:
	default: // awake already
	}
}

func emptyNews() news {
	return news{down: map[string]bool{}, devices: map[string]bool{}, people: map[string]bool{}, sessions: map[string]bool{}}
}

// catchUp works off the news without asking a plugin, and reports whether all
// sessions should be assessed again.
func (t *Trust) catchUp() (all bool) {
	t.newsMu.Lock()
	latest := t.news
	t.news = emptyNews()
	t.newsMu.Unlock()
	now := t.config.Clock().UTC()
	for _, one := range t.all() {
		if s := one.where(); !latest.concern(&s) {
			continue
		}
		t.update(one, func(one *session, _ time.Time) {
			for name := range latest.down {
				t.hear(one, one.gone(name, now), false)
			}
		})
	}
	return latest.up
}

func (s *session) gone(name string, now time.Time) wire.Verdict {
	return wire.Verdict{
		Plugin: name, Cluster: s.plugins[name].Cluster, Missing: true, ObservedAt: now,
		Reasons: []wire.Reason{reason.New(reason.PluginDown, "plugin", name)},
	}
}

func (s *session) where() Situation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.situation
}

// refresh assesses all sessions, a few at a time. With many sessions, or a
// plugin that is slow, it takes long: what lowers a score meanwhile is not kept
// waiting.
func (t *Trust) refresh(ctx context.Context) {
	queue, done := make(chan Situation), make(chan struct{})
	var workers sync.WaitGroup
	for range refreshWorkers {
		workers.Go(func() {
			for s := range queue {
				t.Assess(ctx, s)
			}
		})
	}
	go func() {
		defer close(done)
		defer workers.Wait()
		defer close(queue)
		for _, s := range t.situations() {
			select {
			case queue <- s:
			case <-ctx.Done():
				return
			}
		}
	}()
	again := false // a plugin came up: not all were asked with it
	for {
		select {
		case <-t.wake:
			again = t.catchUp() || again
		case <-done:
			if again {
				t.note(func(n *news) { n.up = true })
			}
			return
		}
	}
}

// situations lists the live sessions and drops those that have outlived their
// sign-in.
func (t *Trust) situations() []Situation {
	oldest := t.config.Clock().Add(-sessionLife)
	var list []Situation
	for _, one := range t.all() {
		s := one.where()
		if s.SignIn.At.Before(oldest) {
			t.Forget(s.SessionID)
			continue
		}
		list = append(list, s)
	}
	return list
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }
