package trust

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// Bounds of what is kept of one person's sign-ins (requirements 32).
const (
	maxObservations = 32 // sign-ins
	maxFailed       = 16 // failed ones
	retention       = 90 * 24 * time.Hour
	scanPage        = 256
	writeAttempts   = 8
)

// ObservationKind is the store's kind of what is kept of people; a record ends
// by itself when the person was not seen for the retention.
const ObservationKind = "observation"

const observationAgency = "_" // pseudonyms belong to no agency

// History keeps the last successful sign-ins of each person under a pseudonym,
// so that plugins can be taught again after a start.
type History struct {
	store store.Store
	key   [32]byte
	clock func() time.Time
	log   *slog.Logger
}

// NewHistory returns a History. The key makes the pseudonyms; with another key
// nobody is recognised again.
func NewHistory(s store.Store, key [32]byte, clock func() time.Time, log *slog.Logger) *History {
	return &History{store: s, key: key, clock: clock, log: log}
}

// Pseudonym returns the name under which plugins know an id of that kind
// ("person", "device"): 128 bits of HMAC-SHA-256.
func (h *History) Pseudonym(kind, id string) string {
	if id == "" {
		return ""
	}
	mac := hmac.New(sha256.New, h.key[:])
	mac.Write([]byte(kind))
	mac.Write([]byte{0})
	mac.Write([]byte(id))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// sheet is one person's record.
type sheet struct {
	V            int                `json:"v"`
	Expires      time.Time          `json:"expires"`
	Observations []wire.Observation `json:"observations"` // oldest first
	// Genuine are the times of those that an officer vouched for.
	Genuine []time.Time `json:"genuine,omitempty"`
}

// sheetVersion is 2 since an observation says its kind; before that only
// sign-ins that ended well were kept.
const sheetVersion = 2

func (s *sheet) upgrade() {
	if s.V >= sheetVersion {
		return
	}
	for i := range s.Observations {
		s.Observations[i].Kind = wire.ObservedSignIn
	}
}

// Add keeps one observation. It is durable when Add returns.
func (h *History) Add(ctx context.Context, o wire.Observation) error {
	return h.change(ctx, o.Person, func(page *sheet) error {
		page.add(o)
		return nil
	})
}

// change reads a person's sheet and writes it as do leaves it. Do may be called
// again.
func (h *History) change(ctx context.Context, person string, do func(*sheet) error) error {
	key := store.Key(ObservationKind, observationAgency, person)
	for range writeAttempts {
		page, revision, err := h.sheet(ctx, key)
		if err != nil {
			return err
		}
		if err := do(&page); err != nil {
			return fmt.Errorf("trust: history: %w", err)
		}
		raw, err := json.Marshal(page)
		if err != nil {
			return fmt.Errorf("trust: history: %w", err)
		}
		_, err = h.store.Txn(ctx, []store.Compare{{Key: key, Revision: revision}}, []store.Op{{Key: key, Value: raw}})
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrIndeterminate):
			return fmt.Errorf("trust: history: %w", err)
		}
	}
	return fmt.Errorf("trust: history: %w", store.ErrConflict)
}

func (h *History) sheet(ctx context.Context, key string) (sheet, int64, error) {
	record, err := h.store.Get(ctx, key, store.Linearizable)
	if errors.Is(err, store.ErrNotFound) {
		return sheet{}, 0, nil
	}
	if err != nil {
		return sheet{}, 0, fmt.Errorf("trust: history: %w", err)
	}
	var page sheet
	if err := json.Unmarshal(record.Value, &page); err != nil {
		h.log.Error("a history cannot be read and starts anew", "key", key, "reason", err.Error())
		page = sheet{}
	}
	page.upgrade()
	return page, record.Revision, nil
}

// add appends o once and drops what is too old or too much.
func (s *sheet) add(o wire.Observation) {
	s.V, s.Expires = sheetVersion, o.At.Add(retention)
	kept := make([]wire.Observation, 0, len(s.Observations)+1)
	for _, old := range s.Observations {
		if !reflect.DeepEqual(old, o) && old.At.After(o.At.Add(-retention)) {
			kept = append(kept, old)
		}
	}
	s.Observations = latest(append(kept, o))
}

// latest keeps so many of each kind; those that failed must not push out what
// a person is known by.
func latest(all []wire.Observation) []wire.Observation {
	failed := 0
	for _, o := range all {
		if o.Kind == wire.ObservedFailure {
			failed++
		}
	}
	surplusFailed, surplus := failed-maxFailed, len(all)-failed-maxObservations
	return slices.DeleteFunc(all, func(o wire.Observation) bool {
		if o.Kind == wire.ObservedFailure {
			surplusFailed--
			return surplusFailed >= 0
		}
		surplus--
		return surplus >= 0
	})
}

// judgedWithin is how long after a touch of the key its sign-in was observed.
const judgedWithin = 2 * time.Minute

// judge finds a person's sign-in, and drops it where it was not the person's.
// Again says that the same was said of it before: however often somebody vouches
// for a sign-in, it is one.
func (h *History) judge(ctx context.Context, personID string, signIn time.Time, genuine bool) (found wire.Observation, again bool, err error) {
	err = h.change(ctx, h.Pseudonym("person", personID), func(page *sheet) error {
		at := slices.IndexFunc(page.Observations, func(o wire.Observation) bool {
			return o.Kind == wire.ObservedSignIn && !o.At.Before(signIn) && o.At.Before(signIn.Add(judgedWithin))
		})
		if at < 0 {
			return fmt.Errorf("no such sign-in is held: %w", store.ErrNotFound)
		}
		found, again = page.Observations[at], false
		if !genuine {
			page.Observations = slices.Delete(page.Observations, at, at+1)
			return nil
		}
		if again = slices.ContainsFunc(page.Genuine, found.At.Equal); !again {
			page.Genuine = append(page.Genuine, found.At)
		}
		held := func(at time.Time) bool {
			return slices.ContainsFunc(page.Observations, func(o wire.Observation) bool { return o.At.Equal(at) })
		}
		page.Genuine = slices.DeleteFunc(page.Genuine, func(at time.Time) bool { return !held(at) })
		return nil
	})
	return found, again, err
}

// Erase forgets a person.
func (h *History) Erase(ctx context.Context, personID string) error {
	key := store.Key(ObservationKind, observationAgency, h.Pseudonym("person", personID))
	if _, err := h.store.Txn(ctx, nil, []store.Op{{Key: key, Delete: true}}); err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("trust: history: %w", err)
	}
	return nil
}

// Each passes on all that is kept since a time, person by person, each oldest
// first, for a backtest. It is what plugins are taught after a start: the last
// sign-ins of each person, failed ones too, and nothing of what sessions did.
func (h *History) Each(ctx context.Context, since time.Time, each func(wire.Observation) error) error {
	return h.Replay(ctx, func(batch []wire.Observation) error {
		for _, o := range batch {
			if o.At.Before(since) {
				continue
			}
			if err := each(o); err != nil {
				return err
			}
		}
		return nil
	})
}

// Replay sends all that is kept and not too old, person by person, each oldest
// first. It is made for host.Options.Replay.
func (h *History) Replay(ctx context.Context, send func([]wire.Observation) error) error {
	oldest := h.clock().Add(-retention)
	for after := ""; ; {
		page, err := h.store.Scan(ctx, store.Prefix(ObservationKind, observationAgency), after, scanPage)
		if err != nil {
			return fmt.Errorf("trust: history: %w", err)
		}
		var batch []wire.Observation
		for _, record := range page.Records {
			var one sheet
			if err := json.Unmarshal(record.Value, &one); err != nil {
				h.log.Error("a history cannot be read and is not replayed", "key", record.Key, "reason", err.Error())
				continue
			}
			one.upgrade()
			for _, o := range one.Observations {
				if o.At.After(oldest) {
					batch = append(batch, o)
				}
			}
		}
		if len(batch) > 0 {
			if err := send(batch); err != nil {
				return err
			}
		}
		if page.Next == "" {
			return nil
		}
		after = page.Next
	}
}
