package signals

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// claims are those of a Security Event Token as SSF 1.0, 4.1, profiles it: no
// sub, no exp, one event.
type claims struct {
	Issuer   string         `json:"iss"`
	ID       string         `json:"jti"`
	IssuedAt int64          `json:"iat"`
	Audience string         `json:"aud"`
	Cause    string         `json:"txn,omitempty"`
	Subject  any            `json:"sub_id"`
	Events   map[string]any `json:"events"`
}

// newEvent makes an event for one stream.
func (t *Transmitter) newEvent(s *stream, kind string, cause string, subject, body any) (event, error) {
	id, err := wire.NewID(eventPrefix, t.Random)
	if err != nil {
		return event{}, err
	}
	now := t.Clock()
	raw, err := json.Marshal(claims{
		Issuer: t.issuer(s.agency), ID: id, IssuedAt: now.Unix(), Audience: s.receiver,
		Cause: cause, Subject: subject, Events: map[string]any{kind: body},
	})
	if err != nil {
		return event{}, fmt.Errorf("signals: %w", err)
	}
	return event{V: schema, ID: id, Claims: raw, at: now}, nil
}

// own makes an event that tells of the stream itself (SSF 1.0, 8.1.4 and 8.1.5).
func (t *Transmitter) own(s *stream, kind string, body any) (event, error) {
	e, err := t.newEvent(s, kind, "", opaque(s.id), body)
	e.Control = kind == kindStreamUpdated
	return e, err
}

// change is what one append makes of one stream.
type change struct {
	record  streamRecord
	rewrite bool // the record changed
	add     []event
}

// append stores events at the ends of their streams together with more, whole or
// not at all. The events of a stream that is full are counted instead.
func (t *Transmitter) append(ctx context.Context, batch map[*stream][]event, more []store.Op) error {
	streams := slices.SortedFunc(maps.Keys(batch), func(a, b *stream) int { return strings.Compare(a.id, b.id) })
	defer lockAll(streams)()
	ops, changes := slices.Clone(more), make([]change, len(streams))
	for i, s := range streams {
		c, err := t.plan(ctx, s, batch[s])
		if err != nil {
			return err
		}
		changes[i] = c
		for n, e := range c.add {
			value, err := json.Marshal(e)
			if err != nil {
				return fmt.Errorf("signals: %w", err)
			}
			ops = append(ops, store.Op{Key: s.eventKey(s.next + uint64(n)), Value: value}) // #nosec G115 -- a count
		}
		if c.rewrite {
			op, err := c.record.put()
			if err != nil {
				return err
			}
			ops = append(ops, op)
		}
	}
	if len(ops) > 0 {
		if _, err := t.Store.Txn(ctx, nil, ops); err != nil {
			return fmt.Errorf("signals: storing events: %w", err)
		}
	}
	for i, s := range streams {
		s.apply(changes[i])
	}
	return nil
}

// lockAll locks streams in their order, which is the same everywhere.
func lockAll(streams []*stream) (unlock func()) {
	for _, s := range streams {
		s.mu.Lock()
	}
	return func() {
		for _, s := range streams {
			s.mu.Unlock()
		}
	}
}

// plan says what becomes of a stream that is to take these events; mu is held.
func (t *Transmitter) plan(ctx context.Context, s *stream, list []event) (change, error) {
	c := change{record: s.record}
	if s.gone || s.record.Status == disabled {
		return c, nil
	}
	free := t.Limits.Pending - len(s.pending)
	for _, e := range list {
		if e.Control || len(c.add) < free {
			c.add = append(c.add, e)
			continue
		}
		if c.record.Missed == 0 {
			if err := t.overflow(ctx, s, &c); err != nil {
				return c, err
			}
		}
		c.record.Missed++
	}
	return c, nil
}

// overflow pauses a stream that is full and has it say so.
func (t *Transmitter) overflow(ctx context.Context, s *stream, c *change) error {
	now := t.Clock().UTC()
	why := "the stream holds " + strconv.Itoa(t.Limits.Pending) + " events; what happened since " + now.Format(time.RFC3339) + " is not kept"
	if err := t.record(ctx, s.agency, map[string]string{"event": "stream-full", "stream": s.id, "why": why}); err != nil {
		return err
	}
	c.rewrite, c.record.MissedSince = true, now
	c.record.Status, c.record.Reason = paused, why
	told, err := t.own(s, kindStreamUpdated, streamUpdated{paused, why})
	if err != nil {
		return err
	}
	c.add = append(c.add, told)
	t.Logger.Warn("a stream of events is full and was paused", "agency", s.agency, "stream", s.id)
	return nil
}

// apply takes over what was stored; mu is held.
func (s *stream) apply(c change) {
	s.record = c.record
	for _, e := range c.add {
		s.pending = append(s.pending, held{s.next, e.ID, e.Control, e.at})
		s.next++
	}
	s.ring()
}

// set changes a stream's record, and with it what it holds: events in add come
// last, and nothing is held where it is disabled.
func (t *Transmitter) set(ctx context.Context, s *stream, alter func(r *streamRecord) (add []event, err error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return fmt.Errorf("signals: the stream was deleted: %w", store.ErrNotFound)
	}
	c := change{record: s.record}
	var err error
	if c.add, err = alter(&c.record); err != nil {
		return err
	}
	op, err := c.record.put()
	if err != nil {
		return err
	}
	ops := []store.Op{op}
	for n, e := range c.add {
		value, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("signals: %w", err)
		}
		ops = append(ops, store.Op{Key: s.eventKey(s.next + uint64(n)), Value: value}) // #nosec G115 -- a count
	}
	if _, err := t.Store.Txn(ctx, nil, ops); err != nil {
		return fmt.Errorf("signals: changing a stream: %w", err)
	}
	s.apply(c)
	if s.record.Status == disabled {
		return t.drop(ctx, s, slices.Clone(s.pending))
	}
	return nil
}

// pause stops a stream that its receiver did not stop, and has it say so.
func (t *Transmitter) pause(ctx context.Context, s *stream, why string) error {
	if err := t.record(ctx, s.agency, map[string]string{"event": "stream-paused", "stream": s.id, "why": why}); err != nil {
		return err
	}
	return t.set(ctx, s, func(r *streamRecord) ([]event, error) {
		if r.Status != enabled {
			return nil, nil
		}
		r.Status, r.Reason = paused, why
		told, err := t.own(s, kindStreamUpdated, streamUpdated{paused, why})
		return []event{told}, err
	})
}

// pauseAll pauses every stream: something could not be kept for any of them.
func (t *Transmitter) pauseAll(ctx context.Context, why string) error {
	for _, s := range t.all() {
		if err := t.pause(ctx, s, why); err != nil {
			return err
		}
	}
	return nil
}

// enable has a stream send again, and say what it did not keep.
func (t *Transmitter) enable(ctx context.Context, s *stream) error {
	return t.set(ctx, s, func(r *streamRecord) ([]event, error) {
		missed, since := r.Missed, r.MissedSince
		r.Status, r.Reason, r.Missed, r.MissedSince = enabled, "", 0, time.Time{}
		if missed == 0 {
			return nil, nil
		}
		why := strconv.FormatUint(missed, 10) + " events since " + since.Format(time.RFC3339) + " were not kept"
		told, err := t.own(s, kindStreamUpdated, streamUpdated{enabled, why})
		return []event{told}, err
	})
}
