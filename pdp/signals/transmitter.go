package signals

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// Transmitter keeps receivers and streams, and sends events. It is safe for
// concurrent use.
type Transmitter struct {
	Config
	client   *http.Client
	intake   intake
	told     told
	counters counters
	adding   sync.Mutex // one receiver or stream is added at a time

	mu        sync.RWMutex
	receivers map[[sha256.Size]byte]*receiver
	streams   map[string]*stream // by id
	agencies  map[string]int     // how many streams each has
	base      context.Context    // Run's; nil before
	workers   sync.WaitGroup
}

// New returns a Transmitter with what the store holds. Run must be running for
// changes to become events, and events to be pushed.
func New(ctx context.Context, c Config) (*Transmitter, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	t := &Transmitter{Config: c, client: NewClient(c.Roots), receivers: map[[sha256.Size]byte]*receiver{},
		streams: map[string]*stream{}, agencies: map[string]int{}}
	t.intake.init(c.Limits.Intake)
	for kind, load := range map[string]func(store.Record) error{
		receiverKind: t.loadReceiver, streamKind: t.loadStream,
	} {
		if err := t.each(ctx, kind, load); err != nil {
			return nil, err
		}
	}
	if err := t.each(ctx, eventKind, t.loadEvent); err != nil {
		return nil, err
	}
	return t, t.loadTold(ctx)
}

// each calls f with every record of a kind, in key order.
func (t *Transmitter) each(ctx context.Context, kind string, f func(store.Record) error) error {
	for after := ""; ; {
		page, err := t.Store.Scan(ctx, store.Prefix(kind, ""), after, store.MaxPageRecords)
		if err != nil {
			return fmt.Errorf("signals: loading: %w", err)
		}
		for _, r := range page.Records {
			if err := f(r); err != nil {
				return fmt.Errorf("signals: %s: %w", r.Key, err)
			}
		}
		if after = page.Next; after == "" {
			return nil
		}
	}
}

func (t *Transmitter) loadReceiver(raw store.Record) error {
	var r receiverRecord
	if err := json.Unmarshal(raw.Value, &r); err != nil || r.V != schema || len(r.Digest) != sha256.Size {
		return fmt.Errorf("unreadable receiver of schema %d: %w", r.V, err)
	}
	one := &receiver{SignalReceiver: r.SignalReceiver}
	copy(one.secret[:], r.Digest)
	t.receivers[one.secret] = one
	return nil
}

func (t *Transmitter) loadStream(raw store.Record) error {
	var r streamRecord
	if err := json.Unmarshal(raw.Value, &r); err != nil || r.V != schema {
		return fmt.Errorf("unreadable stream of schema %d: %w", r.V, err)
	}
	t.add(newStream(r))
	return nil
}

func (t *Transmitter) loadEvent(raw store.Record) error {
	var e event
	if err := json.Unmarshal(raw.Value, &e); err != nil || e.V != schema {
		return fmt.Errorf("unreadable event of schema %d: %w", e.V, err)
	}
	id, sequence, err := eventName(raw.Key)
	if err != nil {
		return err
	}
	if s := t.streams[id]; s != nil {
		var made struct {
			At int64 `json:"iat"`
		}
		if err := json.Unmarshal(e.Claims, &made); err != nil {
			return fmt.Errorf("unreadable claims: %w", err)
		}
		s.pending = append(s.pending, held{sequence, e.ID, e.Control, time.Unix(made.At, 0)})
		s.next = sequence + 1
	}
	return nil
}

// Run makes events of changes and pushes them, until ctx ends.
func (t *Transmitter) Run(ctx context.Context) {
	t.mu.Lock()
	t.base = ctx
	all := slices.Collect(maps.Values(t.streams))
	t.mu.Unlock()
	for _, s := range all {
		t.startPushing(s)
	}
	t.work(ctx)
	t.workers.Wait()
}

// add makes a stream known.
func (t *Transmitter) add(s *stream) {
	t.streams[s.id] = s
	t.agencies[s.agency]++
}

// stream returns a receiver's stream, nil if it has none of this id.
func (t *Transmitter) stream(r *receiver, id string) *stream {
	t.mu.RLock()
	defer t.mu.RUnlock()
	s := t.streams[id]
	if s == nil || s.receiver != r.ID || s.agency != r.Agency {
		return nil
	}
	return s
}

// streamsOf returns an agency's streams by id, of one receiver where one is named.
func (t *Transmitter) streamsOf(agency, receiverID string) []*stream {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var list []*stream
	for _, s := range t.streams {
		if s.agency == agency && (receiverID == "" || s.receiver == receiverID) {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(a, b *stream) int { return strings.Compare(a.id, b.id) })
	return list
}

// all returns every stream, in no order.
func (t *Transmitter) all() []*stream {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return slices.Collect(maps.Values(t.streams))
}

// listened reports whether an agency has streams.
func (t *Transmitter) listened(agency string) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.agencies[agency] > 0
}

// silent reports whether nobody has any stream.
func (t *Transmitter) silent() bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.streams) == 0
}

func (t *Transmitter) issuer(agency string) string { return t.Origin + "/a/" + agency }

// record writes what befell a stream into the audit log.
func (t *Transmitter) record(ctx context.Context, agency string, detail map[string]string) error {
	raw, err := json.Marshal(detail)
	if err != nil {
		return fmt.Errorf("signals: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeDeadline)
	defer cancel()
	if _, err := t.Recorder.Append(ctx, wire.AuditRecord{Kind: wire.AuditSignal, At: t.Clock().UTC(), Agency: agency, Detail: raw}); err != nil {
		return fmt.Errorf("signals: audit: %w", err)
	}
	return nil
}

// write applies one write, whatever the client does meanwhile.
func (t *Transmitter) write(ctx context.Context, op store.Op) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeDeadline)
	defer cancel()
	if _, err := t.Store.Txn(ctx, nil, []store.Op{op}); err != nil {
		return fmt.Errorf("signals: %w", err)
	}
	return nil
}
