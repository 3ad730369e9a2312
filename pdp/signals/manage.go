package signals

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// configuration is a stream's, as SSF 1.0, 8.1.1, writes it.
type configuration struct {
	ID           string          `json:"stream_id,omitempty"`
	Issuer       string          `json:"iss,omitempty"`
	Audience     json.RawMessage `json:"aud,omitempty"`
	Supported    []string        `json:"events_supported,omitempty"`
	Requested    []string        `json:"events_requested,omitempty"`
	Delivered    *[]string       `json:"events_delivered,omitempty"`
	Delivery     *delivery       `json:"delivery,omitempty"`
	Verification int             `json:"min_verification_interval,omitempty"`
	Description  *string         `json:"description,omitempty"`
}

type delivery struct {
	Method   string `json:"method"`
	Endpoint string `json:"endpoint_url,omitempty"`
	// Authorization is the receiver's own secret: taken, never given out.
	Authorization string `json:"authorization_header,omitempty"`
}

// configuration shows a stream; s.mu is held.
func (t *Transmitter) configuration(s *stream) configuration {
	r := &s.record
	audience, _ := json.Marshal(r.Receiver) // a string
	delivered := r.delivered()
	c := configuration{
		ID: r.ID, Issuer: t.issuer(r.Agency), Audience: audience, Supported: supported(), Requested: r.Requested,
		Delivered: &delivered, Delivery: &delivery{Method: methodPoll, Endpoint: t.pollAddress(r)},
		Verification: int(t.Limits.Verification / time.Second),
	}
	if r.Endpoint != "" {
		c.Delivery = &delivery{Method: methodPush, Endpoint: r.Endpoint}
	}
	if r.Description != "" {
		c.Description = &r.Description
	}
	return c
}

func (t *Transmitter) pollAddress(r *streamRecord) string {
	return t.issuer(r.Agency) + "/" + pollPath + r.ID
}

func (t *Transmitter) answer(w http.ResponseWriter, r *http.Request, s *stream, status int) {
	s.mu.Lock()
	c := t.configuration(s)
	s.mu.Unlock()
	if status == http.StatusCreated {
		body, err := json.Marshal(c)
		if err != nil {
			t.fail(w, r, fmt.Errorf("signals: %w", err))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_, _ = w.Write(body) // the peer is gone; nothing is left to tell it
		return
	}
	problem.WriteJSON(w, r, c)
}

func (t *Transmitter) createStream(w http.ResponseWriter, r *http.Request, from *receiver) {
	var in configuration
	if !readBody(w, r, &in) {
		return
	}
	id, err := wire.NewID(streamPrefix, t.Random)
	if err != nil {
		t.fail(w, r, err)
		return
	}
	record := streamRecord{V: schema, ID: id, Agency: from.Agency, Receiver: from.ID, Status: enabled, CreatedAt: t.Clock().UTC()}
	if err := t.receiverSupplied(&record, from, in); err != nil {
		t.fail(w, r, err)
		return
	}
	s, err := t.beginStream(r.Context(), record)
	if err != nil {
		t.fail(w, r, err)
		return
	}
	t.answer(w, r, s, http.StatusCreated)
}

// beginStream records, stores and starts a new stream.
func (t *Transmitter) beginStream(ctx context.Context, record streamRecord) (*stream, error) {
	t.adding.Lock()
	defer t.adding.Unlock()
	if len(t.streamsOf(record.Agency, record.Receiver)) >= mostStreams {
		return nil, &requestError{http.StatusConflict, reason.SignalTooManyStreams, ""}
	}
	if err := t.note(ctx, "stream-created", &record); err != nil {
		return nil, err
	}
	op, err := record.put()
	if err != nil {
		return nil, err
	}
	if err := t.write(ctx, op); err != nil {
		return nil, err
	}
	s := newStream(record)
	t.mu.Lock()
	t.add(s)
	t.mu.Unlock()
	t.startPushing(s)
	return s, nil
}

// note records what a receiver did with a stream.
func (t *Transmitter) note(ctx context.Context, what string, r *streamRecord) error {
	return t.record(ctx, r.Agency, map[string]string{"event": what, "stream": r.ID, "receiver": r.Receiver, "status": r.Status, "endpoint": r.Endpoint})
}

// receiverSupplied takes over what a receiver says of a stream, or says what is
// wrong with it. Members that are not there are taken as their defaults.
func (t *Transmitter) receiverSupplied(record *streamRecord, from *receiver, in configuration) error {
	if err := t.transmitterSupplied(record, in); err != nil {
		return err
	}
	if len(in.Requested) > mostEvents || slices.ContainsFunc(in.Requested, func(k string) bool { return len(k) > mostText }) {
		return badRequest("events_requested is too long")
	}
	record.Requested, record.Description = in.Requested, ""
	if in.Description != nil {
		if !utf8.ValidString(*in.Description) || len(*in.Description) > mostText {
			return badRequest("description is too long")
		}
		record.Description = *in.Description
	}
	return t.deliver(record, from, in.Delivery)
}

// deliver sets how a stream's events reach its receiver; by polling if it does
// not say (SSF 1.0, 8.1.1.1).
func (t *Transmitter) deliver(record *streamRecord, from *receiver, d *delivery) error {
	record.Endpoint, record.Authorization = "", ""
	switch {
	case d == nil, d.Method == methodPoll:
		if d != nil && d.Endpoint != "" && d.Endpoint != t.pollAddress(record) {
			return badRequest("endpoint_url of a polled stream is the transmitter's")
		}
		return nil
	case d.Method != methodPush:
		return badRequest("the delivery method is not supported")
	case !from.permits(d.Endpoint):
		return &requestError{http.StatusForbidden, reason.SignalEndpointForbidden, ""}
	}
	record.Endpoint = d.Endpoint
	if d.Authorization == "" {
		return nil
	}
	if len(d.Authorization) > mostText || strings.ContainsFunc(d.Authorization, func(c rune) bool { return c < ' ' || c > '~' }) {
		return badRequest("authorization_header is malformed")
	}
	sealed, err := t.Sealer.Seal(authPurpose, t.Clock().Add(sealedFor), d.Authorization)
	if err != nil {
		return fmt.Errorf("signals: %w", err)
	}
	record.Authorization = sealed
	return nil
}

// transmitterSupplied checks that what the transmitter says of a stream is what
// it said, where a receiver repeats it (SSF 1.0, 8.1.1.3).
func (t *Transmitter) transmitterSupplied(r *streamRecord, in configuration) error {
	var audience string
	switch {
	case in.Issuer != "" && in.Issuer != t.issuer(r.Agency):
		return badRequest("iss is another")
	case in.Audience != nil && (json.Unmarshal(in.Audience, &audience) != nil || audience != r.Receiver):
		return badRequest("aud is another")
	case in.Supported != nil && !slices.Equal(in.Supported, supported()):
		return badRequest("events_supported is another")
	case in.Delivered != nil && !slices.Equal(*in.Delivered, r.delivered()):
		return badRequest("events_delivered is another")
	case in.Verification != 0 && in.Verification != int(t.Limits.Verification/time.Second):
		return badRequest("min_verification_interval is another")
	}
	return nil
}

func (t *Transmitter) readStream(w http.ResponseWriter, r *http.Request, from *receiver) {
	if !r.URL.Query().Has(queryStream) {
		all := []configuration{}
		for _, s := range t.streamsOf(from.Agency, from.ID) {
			s.mu.Lock()
			all = append(all, t.configuration(s))
			s.mu.Unlock()
		}
		problem.WriteJSON(w, r, all)
		return
	}
	s := t.stream(from, r.URL.Query().Get(queryStream))
	if s == nil {
		problem.Write(w, r, http.StatusNotFound, reason.New(reason.SignalNoStream))
		return
	}
	t.answer(w, r, s, http.StatusOK)
}

// updateStream changes the members that are there (PATCH).
func (t *Transmitter) updateStream(w http.ResponseWriter, r *http.Request, from *receiver) {
	t.alterStream(w, r, from, func(record *streamRecord, in configuration) error {
		whole := in
		if in.Requested == nil {
			whole.Requested = record.Requested
		}
		if in.Description == nil {
			whole.Description = new(record.Description)
		}
		endpoint, authorization := record.Endpoint, record.Authorization
		if err := t.receiverSupplied(record, from, whole); err != nil {
			return err
		}
		if in.Delivery == nil {
			record.Endpoint, record.Authorization = endpoint, authorization
		}
		return nil
	})
}

// replaceStream sets all members; those that are not there are deleted (PUT).
func (t *Transmitter) replaceStream(w http.ResponseWriter, r *http.Request, from *receiver) {
	t.alterStream(w, r, from, func(record *streamRecord, in configuration) error {
		return t.receiverSupplied(record, from, in)
	})
}

func (t *Transmitter) alterStream(w http.ResponseWriter, r *http.Request, from *receiver, alter func(*streamRecord, configuration) error) {
	var in configuration
	if !readBody(w, r, &in) {
		return
	}
	s := t.stream(from, in.ID)
	if s == nil {
		problem.Write(w, r, http.StatusNotFound, reason.New(reason.SignalNoStream))
		return
	}
	if err := t.set(context.WithoutCancel(r.Context()), s, func(record *streamRecord) ([]event, error) {
		if err := alter(record, in); err != nil {
			return nil, err
		}
		return nil, t.note(r.Context(), "stream-changed", record)
	}); err != nil {
		t.fail(w, r, err)
		return
	}
	t.startPushing(s)
	t.answer(w, r, s, http.StatusOK)
}

func (t *Transmitter) removeStream(w http.ResponseWriter, r *http.Request, from *receiver) {
	s := t.stream(from, r.URL.Query().Get(queryStream))
	if s == nil {
		problem.Write(w, r, http.StatusNotFound, reason.New(reason.SignalNoStream))
		return
	}
	ctx := context.WithoutCancel(r.Context())
	if err := t.note(ctx, "stream-deleted", &streamRecord{Agency: from.Agency, ID: s.id, Receiver: from.ID}); err != nil {
		t.fail(w, r, err)
		return
	}
	if err := t.deleteStream(ctx, s); err != nil {
		t.fail(w, r, err)
		return
	}
	noContent(w)
}

func noContent(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
}
