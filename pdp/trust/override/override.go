// Package override keeps what officers say about trust against the inference
// (requirements 29, 31; human autonomy): "compromised" latches a denial until
// an officer lifts it, "safe" mutes named reasons of plugins for a time.
//
// Guarantees, each with a test: an override is about exactly one person, device
// or session of one agency, has a reason, and names who gave it; what is not
// the agency's is not touched. "Safe" ends by itself, never mutes a gate or an
// absence, and counts at its own agency's portals alone, because a person's
// agency may only forbid at another's. An end by time is enforced at each read.
// An unreadable record stops the PDP from starting: a latch must not be lost.
package override

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// Kind is the store's kind of overrides; those that end end by themselves.
const Kind = "trust-override"

const schema = 1

// Bounds of an override.
const (
	LeastLife   = 5 * time.Minute
	MostLife    = 30 * 24 * time.Hour
	leastReason = 10
	mostReason  = 500
	maxAgency   = 1000
	maxCodes    = 16
)

// codeShape is what "safe" may name: what built-in plugins say (001 to 019, 100
// and above), or what a plugin says in its own words, which is named with it.
var codeShape = regexp.MustCompile(`^([a-z][a-z0-9-]{0,31}/)?ZT-TRU-(0[01]\d|[1-9]\d\d)$|^[a-z][a-z0-9-]{0,31}/ZT-TRU-090$`)

// InputError says why an override is not kept.
type InputError struct{ why wire.Reason }

func (e *InputError) Error() string { return "override: refused: " + e.why.Code }

// Reason returns what the officer is told.
func (e *InputError) Reason() wire.Reason { return e.why }

func refuse(code string, args ...string) error { return &InputError{reason.New(code, args...)} }

// Config is what a Keeper needs.
type Config struct {
	Store  store.Store
	Clock  func() time.Time
	Random io.Reader
}

// Keeper is safe for concurrent use.
type Keeper struct {
	Config

	mu          sync.RWMutex
	all         map[string]wire.TrustOverride // by id
	subscribers []func(wire.TrustOverride)
}

type kept struct {
	V       int       `json:"v"`
	Expires time.Time `json:"expires,omitzero"`
	wire.TrustOverride
}

// New returns a Keeper with what the store holds.
func New(ctx context.Context, c Config) (*Keeper, error) {
	k := &Keeper{Config: c, all: map[string]wire.TrustOverride{}}
	for after := ""; ; {
		page, err := c.Store.Scan(ctx, store.Prefix(Kind, ""), after, 500)
		if err != nil {
			return nil, fmt.Errorf("override: loading: %w", err)
		}
		for _, record := range page.Records {
			var o kept
			if err := json.Unmarshal(record.Value, &o); err != nil || o.V != schema {
				return nil, fmt.Errorf("override: unreadable record %s, schema version %d: %w", record.Key, o.V, err)
			}
			k.all[o.ID] = o.TrustOverride
		}
		if after = page.Next; after == "" {
			return k, nil
		}
	}
}

// Subscribe has f called with each override that was added or lifted. f must
// not block.
func (k *Keeper) Subscribe(f func(wire.TrustOverride)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.subscribers = append(k.subscribers, f)
}

func (k *Keeper) tell(o wire.TrustOverride) {
	k.mu.RLock()
	subscribers := k.subscribers
	k.mu.RUnlock()
	for _, f := range subscribers {
		f(o)
	}
}

// Add keeps an override from now on. Its id and beginning are set here; by is
// the officer, as the socket knows them.
func (k *Keeper) Add(ctx context.Context, o wire.TrustOverride, by string) (wire.TrustOverride, error) {
	o.Since, o.By = k.Clock().UTC(), by
	if !o.Until.IsZero() {
		o.Until = o.Until.UTC()
	}
	if err := check(&o); err != nil {
		return wire.TrustOverride{}, err
	}
	if n := len(k.List(o.Agency)); n >= maxAgency {
		return wire.TrustOverride{}, refuse(reason.OverrideTooMany, "count", strconv.Itoa(n))
	}
	id, err := wire.NewID(wire.PrefixOverride, k.Random)
	if err != nil {
		return wire.TrustOverride{}, fmt.Errorf("override: %w", err)
	}
	o.ID = id
	value, err := json.Marshal(kept{schema, o.Until, o})
	if err != nil {
		return wire.TrustOverride{}, fmt.Errorf("override: %w", err)
	}
	key := store.Key(Kind, o.Agency, o.ID)
	if _, err := k.Store.Txn(ctx, []store.Compare{{Key: key}}, []store.Op{{Key: key, Value: value}}); err != nil {
		return wire.TrustOverride{}, fmt.Errorf("override: keeping one: %w", err)
	}
	k.mu.Lock()
	k.all[o.ID] = o
	k.mu.Unlock()
	k.tell(o)
	return o, nil
}

func check(o *wire.TrustOverride) error {
	subjects := 0
	for _, id := range []string{o.Person, o.Device, o.Session} {
		if id != "" {
			subjects++
		}
	}
	letters := utf8.RuneCountInString(o.Reason)
	switch {
	case o.Agency == "" || o.By == "":
		return errors.New("override: an agency and an officer are needed")
	case subjects != 1:
		return refuse(reason.OverrideSubject)
	case letters < leastReason || letters > mostReason || strings.TrimSpace(o.Reason) == "":
		return refuse(reason.OverrideReason)
	case o.Kind == wire.OverrideCompromised && (len(o.Codes) > 0 || !o.Until.IsZero()):
		return refuse(reason.OverrideLatchEnds)
	case o.Kind == wire.OverrideCompromised:
		return nil
	case o.Kind != wire.OverrideSafe:
		return refuse(reason.OverrideKind)
	}
	if life := o.Until.Sub(o.Since); life < LeastLife || life > MostLife {
		return refuse(reason.OverrideLife)
	}
	if len(o.Codes) == 0 || len(o.Codes) > maxCodes {
		return refuse(reason.OverrideCodes)
	}
	for _, code := range o.Codes {
		if !codeShape.MatchString(code) {
			return refuse(reason.OverrideCodes)
		}
	}
	return nil
}

// Lift ends an override of the agency. One that is not there, or another
// agency's, is store.ErrNotFound.
func (k *Keeper) Lift(ctx context.Context, agency, id string) (wire.TrustOverride, error) {
	if wire.CheckID(wire.PrefixOverride, id) != nil {
		return wire.TrustOverride{}, fmt.Errorf("override: %w", store.ErrNotFound)
	}
	k.mu.RLock()
	o, known := k.all[id]
	k.mu.RUnlock()
	if !known || o.Agency != agency {
		return wire.TrustOverride{}, fmt.Errorf("override: %w", store.ErrNotFound)
	}
	if _, err := k.Store.Take(ctx, store.Key(Kind, agency, id)); err != nil {
		return wire.TrustOverride{}, fmt.Errorf("override: lifting one: %w", err)
	}
	k.mu.Lock()
	delete(k.all, id)
	k.mu.Unlock()
	k.tell(o)
	return o, nil
}

// List returns the overrides of an agency that are in force, the newest first.
func (k *Keeper) List(agency string) []wire.TrustOverride {
	now := k.Clock()
	k.mu.RLock()
	defer k.mu.RUnlock()
	var list []wire.TrustOverride
	for _, o := range k.all {
		if o.Agency == agency && inForce(&o, now) {
			list = append(list, o)
		}
	}
	slices.SortFunc(list, func(a, b wire.TrustOverride) int {
		return cmp.Or(b.Since.Compare(a.Since), cmp.Compare(a.ID, b.ID))
	})
	return list
}

func inForce(o *wire.TrustOverride, now time.Time) bool {
	return o.Until.IsZero() || now.Before(o.Until)
}

// Subject is whom a decision is about.
type Subject struct{ Person, Device, Session string }

func (s Subject) is(o *wire.TrustOverride) bool {
	return o.Person != "" && o.Person == s.Person || o.Device != "" && o.Device == s.Device || o.Session != "" && o.Session == s.Session
}

// Latched returns the override by which the subject is held for compromised, or
// an empty text. It counts at every agency's portals.
func (k *Keeper) Latched(s Subject) string {
	id := ""
	k.each(s, k.Clock(), func(o *wire.TrustOverride) {
		if o.Kind == wire.OverrideCompromised && (id == "" || o.ID < id) {
			id = o.ID
		}
	})
	return id
}

// Muted returns what is muted for the subject at a portal of an agency, by
// which overrides, and when the first of them ends.
func (k *Keeper) Muted(s Subject, portalAgency string, now time.Time) (codes, ids []string, until time.Time) {
	k.each(s, now, func(o *wire.TrustOverride) {
		if o.Kind != wire.OverrideSafe || o.Agency != portalAgency {
			return
		}
		codes, ids = append(codes, o.Codes...), append(ids, o.ID)
		if until.IsZero() || o.Until.Before(until) {
			until = o.Until
		}
	})
	slices.Sort(codes)
	slices.Sort(ids)
	return slices.Compact(codes), ids, until
}

func (k *Keeper) each(s Subject, now time.Time, do func(*wire.TrustOverride)) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	for _, o := range k.all {
		if s.is(&o) && inForce(&o, now) {
			do(&o)
		}
	}
}
