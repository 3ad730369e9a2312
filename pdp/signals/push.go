package signals

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/pdp/store"
)

const (
	setType      = "application/secevent+jwt"
	authPurpose  = "signal-authorization"
	maxErrorBody = 8 << 10
	// sealedFor is how long a receiver's own secret can be read again.
	sealedFor = 10 * 365 * 24 * time.Hour
)

// startPushing has a stream's events pushed, if it is not polled. A stream's lock
// is never waited for with t.mu held: who deletes a stream holds them the other
// way round.
func (t *Transmitter) startPushing(s *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop != nil {
		s.stop()
		s.stop = nil
	}
	t.mu.RLock()
	base := t.base
	t.mu.RUnlock()
	if base == nil || base.Err() != nil || s.record.Endpoint == "" || s.gone {
		return
	}
	var ctx context.Context
	ctx, s.stop = context.WithCancel(base)
	t.workers.Go(func() { t.push(ctx, s) })
}

// push sends a stream's events one by one, in order, until ctx ends.
func (t *Transmitter) push(ctx context.Context, s *stream) {
	var failing failure
	for ctx.Err() == nil {
		s.mu.Lock()
		first, _ := s.sendable(1)
		bell := s.bell
		s.mu.Unlock()
		if len(first) == 0 {
			failing = failure{}
			select {
			case <-ctx.Done():
			case <-bell:
			}
			continue
		}
		err := t.pushOne(ctx, s, first[0])
		if err == nil {
			failing = failure{}
			continue
		}
		if ctx.Err() != nil {
			return
		}
		failing.note(t.Clock())
		t.counters[byPush][wasFailed].Add(1)
		t.Logger.Warn("an event could not be pushed", "agency", s.agency, "stream", s.id, "attempt", failing.times, "error", err)
		if t.Clock().Sub(failing.since) >= t.Limits.GiveUp && !first[0].control {
			t.insist(ctx, func() error { return t.pause(ctx, s, "events could not be pushed: "+err.Error()) })
			failing = failure{}
			continue
		}
		wait := failing.pause(t.Limits, err)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// failure is how long and how often pushing has failed in a row.
type failure struct {
	since time.Time
	times int
}

func (f *failure) note(now time.Time) {
	if f.times == 0 {
		f.since = now
	}
	f.times++
}

// pause is how long to wait: twice as long each time, with jitter, so that a
// receiver that comes back is not met by all its streams at once; longer where
// the receiver asks for it.
func (f *failure) pause(l Limits, err error) time.Duration {
	wait := l.RetryMost
	if f.times < 30 {
		wait = min(wait, l.Retry<<(f.times-1))
	}
	wait = wait/2 + rand.N(wait/2+1) // #nosec G404 -- jitter
	var answered *answerError
	if errors.As(err, &answered) {
		wait = max(wait, min(answered.after, l.RetryMost))
	}
	return wait
}

// answerError is an answer that acknowledges nothing.
type answerError struct {
	status int
	code   string // of RFC 8935, 2.4
	after  time.Duration
}

func (e *answerError) Error() string {
	if e.code != "" {
		return "the receiver answered " + strconv.Itoa(e.status) + " " + e.code
	}
	return "the receiver answered " + strconv.Itoa(e.status) + ", RFC 8935 asks for 202"
}

// final reports whether the receiver refused this very event, so that sending it
// again changes nothing. Other errors are of keys and rights, which can be mended.
func (e *answerError) final() bool { return e.code == "invalid_request" || e.code == "invalid_state" }

// pushOne sends an event (RFC 8935, 2.1) and forgets it once it is acknowledged.
func (t *Transmitter) pushOne(ctx context.Context, s *stream, h held) error {
	compact, err := t.signed(ctx, s, h)
	if errors.Is(err, store.ErrNotFound) {
		return t.forget(ctx, s, h)
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	endpoint, sealed := s.record.Endpoint, s.record.Authorization
	s.mu.Unlock()
	if !t.mayPush(s, endpoint) {
		return fmt.Errorf("%w any more", errEndpoint)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(compact))
	if err != nil {
		return fmt.Errorf("signals: %w", err)
	}
	request.Header.Set("Content-Type", setType)
	request.Header.Set("Accept", "application/json")
	if sealed != "" {
		var header string
		if err := t.Sealer.Open(authPurpose, sealed, t.Clock(), &header); err != nil {
			return fmt.Errorf("signals: the receiver's authorization: %w", err)
		}
		request.Header.Set("Authorization", header)
	}
	outcome, err := wasDelivered, t.send(request)
	var answered *answerError
	if errors.As(err, &answered) && answered.final() {
		outcome, err = wasRefused, t.refused(ctx, s, h.id, answered.code)
	}
	if err != nil {
		return err
	}
	t.counters[byPush][outcome].Add(1)
	return t.forget(ctx, s, h)
}

// mayPush reports whether the stream's receiver may still have events there.
func (t *Transmitter) mayPush(s *stream, endpoint string) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, r := range t.receivers {
		if r.ID == s.receiver {
			return r.permits(endpoint)
		}
	}
	return false
}

// send returns nil if the receiver acknowledged (202), else what was wrong. An
// error's text names no address: a person's session may stand in none of them.
func (t *Transmitter) send(request *http.Request) error {
	answer, err := t.client.Do(request)
	if err != nil {
		var where *url.Error
		if errors.As(err, &where) {
			err = where.Err
		}
		return fmt.Errorf("no answer: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, _ := io.ReadAll(io.LimitReader(answer.Body, maxErrorBody))
	if answer.StatusCode == http.StatusAccepted {
		return nil
	}
	e := &answerError{status: answer.StatusCode}
	if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && seconds > 0 && seconds < 86_400 {
		e.after = time.Duration(seconds) * time.Second
	}
	if answer.StatusCode == http.StatusBadRequest {
		var document struct {
			Err string `json:"err"`
		}
		if json.Unmarshal(body, &document) == nil {
			e.code = errorCode(document.Err)
		}
	}
	return e
}

// errorCode returns a code of RFC 8935, 2.4, or SSF 1.0, 8.1.4.1, empty for any
// other text: what a receiver sends is not written into logs.
func errorCode(text string) string {
	for _, known := range [...]string{"invalid_request", "invalid_key", "invalid_issuer", "invalid_audience",
		"authentication_failed", "access_denied", "invalid_state"} {
		if text == known {
			return known
		}
	}
	return ""
}

// refused records that a receiver will not have an event.
func (t *Transmitter) refused(ctx context.Context, s *stream, id, code string) error {
	t.Logger.Warn("a receiver refused an event", "agency", s.agency, "stream", s.id, "code", code)
	return t.record(ctx, s.agency, map[string]string{"event": "event-refused", "stream": s.id, "jti": id, "err": code})
}

// signed reads a held event and signs it.
func (t *Transmitter) signed(ctx context.Context, s *stream, h held) (string, error) {
	raw, err := t.Store.Get(ctx, s.eventKey(h.sequence), store.Local)
	if err != nil {
		return "", fmt.Errorf("signals: reading an event: %w", err)
	}
	var e event
	if err := json.Unmarshal(raw.Value, &e); err != nil || e.ID != h.id {
		return "", fmt.Errorf("signals: the stored event is another: %w", err)
	}
	return t.Signer.SignSET(s.agency, e.Claims)
}

func (t *Transmitter) forget(ctx context.Context, s *stream, gone ...held) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeDeadline)
	defer cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	return t.drop(ctx, s, slices.Clone(gone))
}
