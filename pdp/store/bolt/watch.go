package bolt

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/pdp/store"
)

const (
	watchBuffer = 16  // batches that wait in a watcher's channel
	watchPart   = 256 // batches looked at between two looks at the context
)

// Watch implements store.Store. A watcher has no buffer beyond its channel: it
// reads the shared, bounded history, and ends when that has moved past it.
func (s *Store) Watch(ctx context.Context, prefix string, revision int64) (<-chan store.Batch, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fmt.Errorf("%w: closed", store.ErrUnavailable)
	}
	if err := s.usable(); err != nil {
		return nil, err
	}
	oldest, head := s.history.span()
	switch {
	case revision == 0:
		revision = head
	case revision < oldest || revision > head:
		return nil, fmt.Errorf("%w: %d is not within %d and %d", store.ErrCompacted, revision, oldest, head)
	}
	out := make(chan store.Batch, watchBuffer)
	s.watchers.Go(func() { s.follow(ctx, prefix, revision, out) })
	return out, nil
}

func (s *Store) follow(ctx context.Context, prefix string, at int64, out chan<- store.Batch) {
	defer close(out)
	send := func(b store.Batch) bool {
		select {
		case out <- b:
			return true
		case <-ctx.Done():
		case <-s.closing:
		case <-s.broken:
		}
		return false
	}
	ticker := time.NewTicker(s.options.Progress)
	defer ticker.Stop()
	heard := false // of any revision
	for {
		part, ok := s.history.after(at, watchPart)
		if !ok {
			return
		}
		for _, batch := range part.batches {
			at = batch.Revision
			if events := under(prefix, batch.Events); len(events) > 0 {
				if !send(store.Batch{Revision: at, Events: events}) {
					return
				}
				heard = true
			}
		}
		if part.more {
			continue
		}
		if !heard && !send(store.Batch{Revision: at}) {
			return
		}
		heard = true
		select {
		case <-part.changed:
		case <-ticker.C:
			if !send(store.Batch{Revision: at}) {
				return
			}
		case <-ctx.Done():
			return
		case <-s.closing:
			return
		case <-s.broken:
			return
		}
	}
}

// under returns the events whose keys start with prefix.
func under(prefix string, events []store.Event) []store.Event {
	matching := 0
	for _, e := range events {
		if strings.HasPrefix(e.Key, prefix) {
			matching++
		}
	}
	if matching == len(events) {
		return events
	}
	some := make([]store.Event, 0, matching)
	for _, e := range events {
		if strings.HasPrefix(e.Key, prefix) {
			some = append(some, e)
		}
	}
	return some
}
