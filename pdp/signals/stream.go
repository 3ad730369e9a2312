package signals

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

const (
	streamKind   = "signal-stream"
	eventKind    = "signal-event"
	streamPrefix = "stm"
	eventPrefix  = "set"
)

// Statuses of a stream (SSF 1.0, 8.1.2.1).
const (
	enabled  = "enabled"
	paused   = "paused"
	disabled = "disabled"
)

// streamRecord is a stream in the store.
type streamRecord struct {
	V        int    `json:"v"`
	ID       string `json:"id"`
	Agency   string `json:"agency"`
	Receiver string `json:"receiver"`
	// Endpoint is where events are pushed to, empty where the receiver polls.
	Endpoint string `json:"endpoint,omitempty"`
	// Authorization is the header that the receiver wants to see, sealed.
	Authorization string    `json:"authorization,omitempty"`
	Requested     []string  `json:"requested,omitempty"`
	Description   string    `json:"description,omitempty"`
	Status        string    `json:"status"`
	Reason        string    `json:"reason,omitempty"`
	Missed        uint64    `json:"missed,omitempty"`
	MissedSince   time.Time `json:"missed_since,omitzero"`
	CreatedAt     time.Time `json:"created_at"`
	// Removed are the subjects that its receiver will not hear of.
	Removed []left `json:"removed,omitempty"`
}

func (r *streamRecord) key() string { return store.Key(streamKind, r.Agency, r.ID) }

// delivered are the event types that the stream carries: those asked for of
// those there are; all of them where none is asked for.
func (r *streamRecord) delivered() []string {
	list := []string{}
	for _, known := range supported() {
		if r.Requested == nil || slices.Contains(r.Requested, known) {
			list = append(list, known)
		}
	}
	return list
}

// event is one that a stream holds, as it lies in the store. It is signed when
// it is sent, so that a key that was replaced meanwhile spoils nothing.
type event struct {
	V      int             `json:"v"`
	ID     string          `json:"id"` // jti
	Claims json.RawMessage `json:"claims"`
	// Control says that it tells of the stream itself and leaves it paused too.
	Control bool `json:"control,omitempty"`
	at      time.Time
}

// held is what memory knows of an event.
type held struct {
	sequence uint64
	id       string
	control  bool
	at       time.Time // when it was made, to the second after a start
}

// stream is one in memory. Its names do not change; mu guards all else.
type stream struct {
	id, agency, receiver string

	mu       sync.Mutex
	record   streamRecord
	pending  []held
	next     uint64
	bell     chan struct{} // closed when something can be sent
	polls    int
	verified time.Time // when a verification was asked for last
	gone     bool
	stop     context.CancelFunc // ends its pushing
}

func newStream(r streamRecord) *stream {
	return &stream{id: r.ID, agency: r.Agency, receiver: r.Receiver, record: r, next: 1, bell: make(chan struct{})}
}

// ring wakes who waits for events; mu is held.
func (s *stream) ring() {
	close(s.bell)
	s.bell = make(chan struct{})
}

// sendable returns up to most events that may leave now, oldest first; mu is held.
// A paused stream sends what tells of itself alone.
func (s *stream) sendable(most int) (list []held, more bool) {
	for _, h := range s.pending {
		if s.record.Status == disabled || s.record.Status == paused && !h.control {
			continue
		}
		if len(list) == most {
			return list, true
		}
		list = append(list, h)
	}
	return list, false
}

func (s *stream) shown() wire.SignalStream {
	s.mu.Lock()
	defer s.mu.Unlock()
	return wire.SignalStream{ID: s.id, Endpoint: s.record.Endpoint, Status: s.record.Status, Reason: s.record.Reason,
		Pending: len(s.pending), Missed: s.record.Missed}
}

func (s *stream) eventKey(sequence uint64) string {
	return store.Key(eventKind, s.agency, fmt.Sprintf("%s.%016x", s.id, sequence))
}

// eventName takes an event's key apart.
func eventName(key string) (streamID string, sequence uint64, err error) {
	name := key[strings.LastIndexByte(key, '/')+1:]
	id, number, _ := strings.Cut(name, ".")
	if sequence, err = strconv.ParseUint(number, 16, 64); err != nil {
		return "", 0, fmt.Errorf("not an event's key: %w", err)
	}
	return id, sequence, nil
}

// put returns the write of the stream's record.
func (r *streamRecord) put() (store.Op, error) {
	value, err := json.Marshal(r)
	if err != nil {
		return store.Op{}, fmt.Errorf("signals: %w", err)
	}
	return store.Op{Key: r.key(), Value: value}, nil
}

// drop forgets events that were acknowledged, refused, or are held no more; mu
// is held.
func (t *Transmitter) drop(ctx context.Context, s *stream, gone []held) error {
	for part := range slices.Chunk(gone, store.MaxTxnParts) {
		ops := make([]store.Op, len(part))
		for i, h := range part {
			ops[i] = store.Op{Key: s.eventKey(h.sequence), Delete: true}
		}
		if _, err := t.Store.Txn(ctx, nil, ops); err != nil {
			return fmt.Errorf("signals: forgetting events: %w", err)
		}
		s.pending = slices.DeleteFunc(s.pending, func(h held) bool {
			return slices.ContainsFunc(part, func(p held) bool { return p.sequence == h.sequence })
		})
	}
	return nil
}

// deleteStream ends a stream with all that it holds. Its record goes first: what
// a crash leaves of its events belongs to nobody and is never sent.
func (t *Transmitter) deleteStream(ctx context.Context, s *stream) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return nil
	}
	if _, err := t.Store.Txn(ctx, nil, []store.Op{{Key: s.record.key(), Delete: true}}); err != nil {
		return fmt.Errorf("signals: deleting a stream: %w", err)
	}
	s.gone = true
	if s.stop != nil {
		s.stop()
	}
	s.ring()
	t.mu.Lock()
	delete(t.streams, s.id)
	t.agencies[s.agency]--
	t.mu.Unlock()
	return t.drop(ctx, s, slices.Clone(s.pending))
}
