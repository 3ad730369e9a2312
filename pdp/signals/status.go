package signals

import (
	"context"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
)

// status is a stream's (SSF 1.0, 8.1.2).
type status struct {
	ID     string `json:"stream_id"`
	Status string `json:"status"`
	Reason string `json:"reason,omitempty"`
}

func (s *stream) status() status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return status{s.id, s.record.Status, s.record.Reason}
}

func (t *Transmitter) readStatus(w http.ResponseWriter, r *http.Request, from *receiver) {
	s := t.stream(from, r.URL.Query().Get(queryStream))
	if s == nil {
		problem.Write(w, r, http.StatusNotFound, reason.New(reason.SignalNoStream))
		return
	}
	problem.WriteJSON(w, r, s.status())
}

// updateStatus lets a receiver enable, pause or disable its stream.
func (t *Transmitter) updateStatus(w http.ResponseWriter, r *http.Request, from *receiver) {
	var in status
	if !readBody(w, r, &in) {
		return
	}
	s := t.stream(from, in.ID)
	if s == nil {
		problem.Write(w, r, http.StatusNotFound, reason.New(reason.SignalNoStream))
		return
	}
	if err := t.changeStatus(context.WithoutCancel(r.Context()), s, in); err != nil {
		t.fail(w, r, err)
		return
	}
	problem.WriteJSON(w, r, s.status())
}

func (t *Transmitter) changeStatus(ctx context.Context, s *stream, in status) error {
	if len(in.Reason) > mostText || !utf8.ValidString(in.Reason) || strings.ContainsFunc(in.Reason, func(c rune) bool { return c < ' ' }) {
		return badRequest("reason is malformed")
	}
	switch in.Status {
	case enabled, paused, disabled:
	default:
		return badRequest("status is none of enabled, paused and disabled")
	}
	if err := t.note(ctx, "stream-status", &streamRecord{Agency: s.agency, ID: in.ID, Receiver: s.receiver, Status: in.Status}); err != nil {
		return err
	}
	if in.Status == enabled {
		return t.enable(ctx, s)
	}
	return t.set(ctx, s, func(r *streamRecord) ([]event, error) {
		r.Status, r.Reason = in.Status, in.Reason
		if in.Status == disabled { // what it holds goes with it
			r.Missed, r.MissedSince = 0, time.Time{}
		}
		return nil, nil
	})
}

// verifyRequest is SSF 1.0, 8.1.4.2.
type verifyRequest struct {
	ID    string `json:"stream_id"`
	State string `json:"state"`
}

// verify has a verification event travel down the stream, with the receiver's
// own state in it.
func (t *Transmitter) verify(w http.ResponseWriter, r *http.Request, from *receiver) {
	var in verifyRequest
	if !readBody(w, r, &in) {
		return
	}
	s := t.stream(from, in.ID)
	switch {
	case s == nil:
		problem.Write(w, r, http.StatusNotFound, reason.New(reason.SignalNoStream))
		return
	case len(in.State) > mostText || !utf8.ValidString(in.State):
		t.fail(w, r, badRequest("state is too long"))
		return
	case !s.mayVerify(t.Clock(), t.Limits.Verification):
		problem.Write(w, r, http.StatusTooManyRequests, reason.New(reason.SignalTooOften))
		return
	}
	e, err := t.own(s, kindVerification, verification{in.State})
	if err == nil {
		err = t.append(context.WithoutCancel(r.Context()), map[*stream][]event{s: {e}}, nil)
	}
	if err != nil {
		t.fail(w, r, err)
		return
	}
	noContent(w)
}

// mayVerify reports whether the last verification lies far enough back, and
// notes this one.
func (s *stream) mayVerify(now time.Time, least time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.verified) < least {
		return false
	}
	s.verified = now
	return true
}
