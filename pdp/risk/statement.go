package risk

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// StatementKind and TokenKind are the store's kinds of statements and of tokens
// that were taken; their records end by themselves.
const (
	StatementKind = "signal-statement"
	TokenKind     = "signal-token"
)

// topic is what a statement is about; a source has one of each on each subject.
type topic string

const (
	topicRisk       topic = "risk"
	topicCompliance topic = "compliance"
)

// statement is what one source says of one person or device on one topic.
type statement struct {
	V       int            `json:"v"`
	Expires time.Time      `json:"expires"`
	Source  string         `json:"source"`
	Agency  string         `json:"agency"`
	Topic   topic          `json:"topic"`
	Person  string         `json:"person,omitempty"`
	Device  string         `json:"device,omitempty"`
	Level   wire.RiskLevel `json:"level"`
	// At is when it became so, by the source's word.
	At time.Time `json:"at"`
}

func (s *statement) subject() string { return s.Person + s.Device } // one is empty

// name tells statements of one subject apart.
func (s *statement) name() string { return s.Source + "." + string(s.Topic) }

func (s *statement) key() string {
	return store.Key(StatementKind, s.Agency, s.name()+"."+s.subject())
}

// Listener keeps sources and what they say. It is safe for concurrent use.
type Listener struct {
	Config
	adding sync.Mutex
	saying sync.Mutex // one statement is stored at a time
	busy   chan struct{}

	mu          sync.RWMutex
	sources     map[[sha256.Size]byte]*source
	statements  map[string]map[string]statement // by subject and name
	counts      map[string]int                  // by source
	subscribers []func(personID, deviceID string)
}

// New returns a Listener with what the store holds. Run must be running for
// subscribers to hear of ends by time.
func New(ctx context.Context, c Config) (*Listener, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	l := &Listener{Config: c, busy: make(chan struct{}, mostAtOnce), sources: map[[sha256.Size]byte]*source{},
		statements: map[string]map[string]statement{}, counts: map[string]int{}}
	if err := l.each(ctx, sourceKind, l.loadSource); err != nil {
		return nil, err
	}
	return l, l.each(ctx, StatementKind, l.loadStatement)
}

func (l *Listener) each(ctx context.Context, kind string, f func(store.Record) error) error {
	for after := ""; ; {
		page, err := l.Store.Scan(ctx, store.Prefix(kind, ""), after, store.MaxPageRecords)
		if err != nil {
			return fmt.Errorf("risk: loading: %w", err)
		}
		for _, r := range page.Records {
			if err := f(r); err != nil {
				return fmt.Errorf("risk: %s: %w", r.Key, err)
			}
		}
		if after = page.Next; after == "" {
			return nil
		}
	}
}

func (l *Listener) loadSource(raw store.Record) error {
	var r sourceRecord
	if err := json.Unmarshal(raw.Value, &r); err != nil || r.V != schema || len(r.Digest) != sha256.Size {
		return fmt.Errorf("unreadable source of schema %d: %w", r.V, err)
	}
	s := &source{SignalSource: r.SignalSource}
	if r.KeysURL == "" { // those that are published are read when they are needed
		given, err := l.Keys(r.Keys)
		if err != nil {
			return err
		}
		s.keys.take(given, l.Clock())
	}
	copy(s.secret[:], r.Digest)
	l.sources[s.secret] = s
	return nil
}

func (l *Listener) loadStatement(raw store.Record) error {
	var s statement
	if err := json.Unmarshal(raw.Value, &s); err != nil || s.V != schema {
		return fmt.Errorf("unreadable statement of schema %d: %w", s.V, err)
	}
	if l.Clock().Before(s.Expires) {
		l.keep(s)
	}
	return nil
}

// keep takes a statement into memory; mu is held, or nobody else is there yet.
func (l *Listener) keep(s statement) {
	of := l.statements[s.subject()]
	if of == nil {
		of = map[string]statement{}
		l.statements[s.subject()] = of
	}
	if _, again := of[s.name()]; !again {
		l.counts[s.Source]++
	}
	of[s.name()] = s
}

// forget drops a statement from memory; mu is held.
func (l *Listener) forget(s statement) {
	delete(l.statements[s.subject()], s.name())
	if len(l.statements[s.subject()]) == 0 {
		delete(l.statements, s.subject())
	}
	if l.counts[s.Source]--; l.counts[s.Source] <= 0 {
		delete(l.counts, s.Source)
	}
}

// forgetSource ends all that a source said.
func (l *Listener) forgetSource(ctx context.Context, id string) error {
	l.saying.Lock()
	defer l.saying.Unlock()
	l.mu.Lock()
	var gone []statement
	for _, of := range l.statements {
		for _, s := range of {
			if s.Source == id {
				gone = append(gone, s)
			}
		}
	}
	for _, s := range gone {
		l.forget(s)
	}
	l.mu.Unlock()
	for _, s := range gone {
		l.tell(s)
	}
	for part := range slices.Chunk(gone, store.MaxTxnParts) {
		ops := make([]store.Op, len(part))
		for i := range part {
			ops[i] = store.Op{Key: part[i].key(), Delete: true}
		}
		if _, err := l.Store.Txn(ctx, nil, ops); err != nil {
			return fmt.Errorf("risk: forgetting a source: %w", err)
		}
	}
	return nil
}

// Subscribe has f called with the person or the device of which something else
// is said now; the other is empty. f must not block.
func (l *Listener) Subscribe(f func(personID, deviceID string)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.subscribers = append(l.subscribers, f)
}

func (l *Listener) tell(s statement) {
	l.mu.RLock()
	subscribers := l.subscribers
	l.mu.RUnlock()
	for _, f := range subscribers {
		f(s.Person, s.Device)
	}
}

// Facts returns what is said at present of a person and a device: of all
// statements that hold the highest.
func (l *Listener) Facts(personID, deviceID string) wire.RiskFacts {
	now := l.Clock()
	l.mu.RLock()
	defer l.mu.RUnlock()
	var f wire.RiskFacts
	f.Person = l.highest(personID, now, &f.ChangesAt)
	f.Device = l.highest(deviceID, now, &f.ChangesAt)
	return f
}

func (l *Listener) highest(subject string, now time.Time, changes *time.Time) (level wire.RiskLevel) {
	if subject == "" {
		return ""
	}
	for _, s := range l.statements[subject] {
		if !now.Before(s.Expires) {
			continue
		}
		if changes.IsZero() || s.Expires.Before(*changes) {
			*changes = s.Expires
		}
		if rank(s.Level) > rank(level) {
			level = s.Level
		}
	}
	return level
}

// rank orders levels; one that is not known is the highest.
func rank(l wire.RiskLevel) int {
	switch l {
	case "":
		return 0
	case wire.RiskLow:
		return 1
	case wire.RiskMedium:
		return 2
	default:
		return 3
	}
}

// longestNap bounds how late an end is told after the clock was set.
const longestNap = time.Minute

// Run tells subscribers of statements that end by time, until ctx ends.
func (l *Listener) Run(ctx context.Context) {
	timer := time.NewTimer(longestNap)
	defer timer.Stop()
	for {
		timer.Reset(l.end(l.Clock()))
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
	}
}

// end drops the statements whose time is over, tells of them, and returns how
// long to wait for the next.
func (l *Listener) end(now time.Time) (next time.Duration) {
	next = longestNap
	var over []statement
	l.mu.Lock()
	for _, of := range l.statements {
		for s := range maps.Values(of) {
			if left := s.Expires.Sub(now); left > 0 {
				next = min(next, left)
			} else {
				over = append(over, s)
			}
		}
	}
	for _, s := range over {
		l.forget(s)
	}
	l.mu.Unlock()
	for _, s := range over {
		l.tell(s)
	}
	return next
}

func (l *Listener) issuer(agency string) string { return l.Origin + "/a/" + agency }
