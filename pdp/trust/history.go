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
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// Bounds of what is kept of one person's sign-ins (requirements 32).
const (
	maxObservations = 32
	retention       = 90 * 24 * time.Hour
	scanPage        = 256
	writeAttempts   = 8
)

const (
	observationKind   = "observation"
	observationAgency = "_" // pseudonyms belong to no agency
)

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
	key := store.Key(observationKind, observationAgency, o.Person)
	for range writeAttempts {
		page, revision, err := h.sheet(ctx, key)
		if err != nil {
			return err
		}
		page.add(o)
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
	kept = append(kept, o)
	s.Observations = kept[max(0, len(kept)-maxObservations):]
}

// Erase forgets a person.
func (h *History) Erase(ctx context.Context, personID string) error {
	key := store.Key(observationKind, observationAgency, h.Pseudonym("person", personID))
	if _, err := h.store.Txn(ctx, nil, []store.Op{{Key: key, Delete: true}}); err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("trust: history: %w", err)
	}
	return nil
}

// Replay sends all that is kept and not too old, person by person, each oldest
// first. It is made for host.Options.Replay.
func (h *History) Replay(ctx context.Context, send func([]wire.Observation) error) error {
	oldest := h.clock().Add(-retention)
	for after := ""; ; {
		page, err := h.store.Scan(ctx, store.Prefix(observationKind, observationAgency), after, scanPage)
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
