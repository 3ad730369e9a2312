package signals

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/strictjson"
	"github.com/menshen-zt/menshen/pdp/store"
)

// pollRequest is RFC 8936, 2.2.
type pollRequest struct {
	Most      *int     `json:"maxEvents"`
	Immediate bool     `json:"returnImmediately"`
	Ack       []string `json:"ack"`
	Errors    map[string]struct {
		Err string `json:"err"`
	} `json:"setErrs"`
}

// pollAnswer is RFC 8936, 2.3.
type pollAnswer struct {
	Sets map[string]string `json:"sets"`
	More bool              `json:"moreAvailable,omitempty"`
}

// poll answers a receiver's poll: first what it acknowledges is forgotten, then
// it gets what the stream holds, oldest first, again until it acknowledges.
func (t *Transmitter) poll(w http.ResponseWriter, r *http.Request, from *receiver) {
	s := t.stream(from, r.PathValue("stream"))
	if s == nil || s.endpoint() != "" {
		problem.Write(w, r, http.StatusNotFound, reason.New(reason.SignalNoStream))
		return
	}
	var in pollRequest
	if err := strictjson.DecodeOpen(http.MaxBytesReader(w, r.Body, maxPoll), maxPoll, &in); err != nil || in.Most != nil && *in.Most < 0 {
		problem.Write(w, r, http.StatusBadRequest, reason.New(reason.SignalStreamRefused, "detail", "the poll cannot be read"))
		return
	}
	if err := t.settle(r.Context(), s, in); err != nil {
		t.fail(w, r, err)
		return
	}
	most := mostSets
	if in.Most != nil {
		most = min(most, *in.Most)
	}
	answer := pollAnswer{Sets: map[string]string{}}
	if most > 0 {
		if !s.beginPoll() {
			problem.Write(w, r, http.StatusTooManyRequests, reason.New(reason.SignalTooOften))
			return
		}
		defer s.endPoll()
		if !in.Immediate {
			t.wait(r.Context(), s)
		}
		if err := t.gather(r.Context(), s, most, &answer); err != nil {
			t.fail(w, r, err)
			return
		}
	}
	problem.WriteJSON(w, r, answer)
}

// settle forgets what a receiver acknowledges, and records what it refuses.
func (t *Transmitter) settle(ctx context.Context, s *stream, in pollRequest) error {
	done := make(map[string]bool, len(in.Ack)+len(in.Errors))
	for _, id := range in.Ack {
		done[id] = true
	}
	s.mu.Lock()
	var gone, refused []held
	for _, h := range s.pending {
		if _, bad := in.Errors[h.id]; bad {
			refused = append(refused, h)
		} else if done[h.id] {
			gone = append(gone, h)
		}
	}
	s.mu.Unlock()
	for _, h := range refused {
		if err := t.refused(ctx, s, h.id, errorCode(in.Errors[h.id].Err)); err != nil {
			return err
		}
	}
	if err := t.forget(ctx, s, append(gone, refused...)...); err != nil {
		return err
	}
	t.counters[byPoll][wasDelivered].Add(uint64(len(gone)))
	t.counters[byPoll][wasRefused].Add(uint64(len(refused)))
	return nil
}

// beginPoll reports whether the stream has room for one more poll: each may cost
// as many signatures as an answer holds events.
func (s *stream) beginPoll() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.polls >= mostPolls {
		return false
	}
	s.polls++
	return true
}

func (s *stream) endPoll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.polls--
}

// wait returns once the stream has something to send or the poll's time is over
// (RFC 8936, 2.5).
func (t *Transmitter) wait(ctx context.Context, s *stream) {
	over := time.NewTimer(t.Limits.Poll)
	defer over.Stop()
	for {
		s.mu.Lock()
		list, _ := s.sendable(1)
		bell, gone := s.bell, s.gone
		s.mu.Unlock()
		if len(list) > 0 || gone {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-over.C:
			return
		case <-bell:
		}
	}
}

// gather signs what may be sent now.
func (t *Transmitter) gather(ctx context.Context, s *stream, most int, answer *pollAnswer) error {
	s.mu.Lock()
	list, more := s.sendable(most)
	s.mu.Unlock()
	answer.More = more
	for _, h := range list {
		compact, err := t.signed(ctx, s, h)
		if errors.Is(err, store.ErrNotFound) { // acknowledged meanwhile
			continue
		}
		if err != nil {
			return err
		}
		answer.Sets[h.id] = compact
	}
	return nil
}

func (s *stream) endpoint() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.record.Endpoint
}
