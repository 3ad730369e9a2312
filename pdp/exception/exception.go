// Package exception keeps the exceptions that agencies give: permissions for a
// claim, or a baseline's rule, to fail for a time (requirements 27).
//
// Guarantees: an exception names exactly one thing, has a reason and an
// approver, and ends after a year at most. It counts from the moment that it is
// kept until it is removed or its time is over, and whoever subscribed is told
// of each, also of an end by time. It belongs to one agency; nobody removes
// another's.
package exception

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
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

const (
	kind   = "exception"
	schema = 1
)

// Bounds of an exception.
const (
	LeastLife   = 24 * time.Hour
	MostLife    = 366 * 24 * time.Hour
	leastReason = 10
	mostReason  = 500
	maxAgency   = 1000 // exceptions of one agency
	maxName     = 64
)

// InputError says why an exception is not kept.
type InputError struct{ why wire.Reason }

func (e *InputError) Error() string { return "exception: refused: " + e.why.Code }

// Reason returns what the administrator is told.
func (e *InputError) Reason() wire.Reason { return e.why }

func refuse(code string, args ...string) error { return &InputError{reason.New(code, args...)} }

// Config is what a Keeper needs.
type Config struct {
	Store  store.Store
	Clock  func() time.Time
	Random io.Reader
	Logger *slog.Logger
}

// Keeper is safe for concurrent use.
type Keeper struct {
	Config

	mu          sync.Mutex
	agencies    map[string][]wire.Exception
	subscribers []func(agency string)
	kick        chan struct{}
}

type kept struct {
	V int `json:"v"`
	wire.Exception
}

// New returns a Keeper with what the store holds. Run must be running for
// subscribers to hear of ends by time.
func New(ctx context.Context, c Config) (*Keeper, error) {
	k := &Keeper{Config: c, agencies: map[string][]wire.Exception{}, kick: make(chan struct{}, 1)}
	for after := ""; ; {
		page, err := c.Store.Scan(ctx, store.Prefix(kind, ""), after, 500)
		if err != nil {
			return nil, fmt.Errorf("exception: loading: %w", err)
		}
		for _, record := range page.Records {
			var e kept
			if err := json.Unmarshal(record.Value, &e); err != nil || e.V != schema {
				return nil, fmt.Errorf("exception: unreadable record %s, schema version %d: %w", record.Key, e.V, err)
			}
			k.agencies[e.Agency] = append(k.agencies[e.Agency], e.Exception)
		}
		if after = page.Next; after == "" {
			return k, nil
		}
	}
}

// Subscribe has f called with the agency whose exceptions changed. f must not
// block.
func (k *Keeper) Subscribe(f func(agency string)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.subscribers = append(k.subscribers, f)
}

func (k *Keeper) tell(agency string) {
	k.mu.Lock()
	subscribers := k.subscribers
	k.mu.Unlock()
	for _, f := range subscribers {
		f(agency)
	}
	select {
	case k.kick <- struct{}{}:
	default:
	}
}

// Add keeps an exception from now until its end. Its id, beginning and approver
// are set here; by is who asked, as the socket knows them.
func (k *Keeper) Add(ctx context.Context, e wire.Exception, by string) (wire.Exception, error) {
	e.Since, e.Until, e.Approver = k.Clock().UTC(), e.Until.UTC(), by
	if err := check(e); err != nil {
		return wire.Exception{}, err
	}
	id, err := wire.NewID(wire.PrefixException, k.Random)
	if err != nil {
		return wire.Exception{}, fmt.Errorf("exception: %w", err)
	}
	e.ID = id
	value, err := json.Marshal(kept{schema, e})
	if err != nil {
		return wire.Exception{}, fmt.Errorf("exception: %w", err)
	}
	k.mu.Lock()
	n := len(k.agencies[e.Agency])
	k.mu.Unlock()
	if n >= maxAgency {
		return wire.Exception{}, refuse(reason.ExceptionTooMany, "count", strconv.Itoa(n))
	}
	key := store.Key(kind, e.Agency, e.ID)
	if _, err := k.Store.Txn(ctx, []store.Compare{{Key: key}}, []store.Op{{Key: key, Value: value}}); err != nil {
		return wire.Exception{}, fmt.Errorf("exception: keeping one: %w", err)
	}
	k.mu.Lock()
	// A new list: those that were given out stay as they are.
	k.agencies[e.Agency] = append(slices.Clone(k.agencies[e.Agency]), e)
	k.mu.Unlock()
	k.tell(e.Agency)
	return e, nil
}

func check(e wire.Exception) error {
	named := e.Claim != "" && e.Baseline == "" && e.Rule == ""
	if e.Claim == "" {
		named = e.Baseline != "" && strings.HasPrefix(e.Rule, e.Baseline+"-")
	}
	life, letters := e.Until.Sub(e.Since), utf8.RuneCountInString(e.Reason)
	switch {
	case !named || len(e.Claim) > maxName || len(e.Rule) > maxName:
		return refuse(reason.ExceptionSubject)
	case letters < leastReason || letters > mostReason || strings.TrimSpace(e.Reason) == "":
		return refuse(reason.ExceptionReason)
	case life < LeastLife || life > MostLife:
		return refuse(reason.ExceptionLife)
	case e.Agency == "" || e.Approver == "":
		return errors.New("exception: an agency and an approver are needed")
	}
	return nil
}

// Remove ends an exception of the agency. One that is not there, or another
// agency's, is store.ErrNotFound.
func (k *Keeper) Remove(ctx context.Context, agency, id string) (wire.Exception, error) {
	if wire.CheckID(wire.PrefixException, id) != nil {
		return wire.Exception{}, fmt.Errorf("exception: %w", store.ErrNotFound)
	}
	record, err := k.Store.Take(ctx, store.Key(kind, agency, id))
	if err != nil {
		return wire.Exception{}, fmt.Errorf("exception: removing one: %w", err)
	}
	k.mu.Lock()
	k.agencies[agency] = slices.DeleteFunc(slices.Clone(k.agencies[agency]), func(e wire.Exception) bool { return e.ID == id })
	k.mu.Unlock()
	k.tell(agency)
	var e kept
	if err := json.Unmarshal(record.Value, &e); err != nil {
		return wire.Exception{}, fmt.Errorf("exception: %w", err)
	}
	return e.Exception, nil
}

// List returns all exceptions of an agency, those that have ended too, by when
// they end.
func (k *Keeper) List(agency string) []wire.Exception {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := slices.Clone(k.agencies[agency])
	slices.SortFunc(all, func(a, b wire.Exception) int { return cmp.Or(a.Until.Compare(b.Until), cmp.Compare(a.ID, b.ID)) })
	return all
}

// For returns the exceptions that count for a device at a time, and a text that
// changes whenever they do.
func (k *Keeper) For(device wire.Device, now time.Time) ([]wire.Exception, string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var all []wire.Exception
	var version strings.Builder
	for _, e := range k.agencies[device.Agency] {
		if (e.Device == "" || e.Device == device.ID) && !now.Before(e.Since) && now.Before(e.Until) {
			all = append(all, e)
			version.WriteString(" " + e.ID)
		}
	}
	return all, version.String()
}

// longestNap bounds how late an end is told after the clock was set.
const longestNap = time.Minute

// Run tells subscribers of exceptions that end by time, until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	last := k.Clock()
	timer := time.NewTimer(longestNap)
	defer timer.Stop()
	for {
		now := k.Clock()
		ended, next := k.ended(last, now)
		for _, agency := range ended {
			k.Logger.Info("exceptions ended by time", "agency", agency)
			k.tell(agency)
		}
		last = now
		timer.Reset(next)
		select {
		case <-ctx.Done():
			return
		case <-k.kick:
		case <-timer.C:
		}
	}
}

// ended returns the agencies with an exception whose time ended after last, and
// how long to wait for the next.
func (k *Keeper) ended(last, now time.Time) (agencies []string, next time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	next = longestNap
	for agency, all := range k.agencies {
		over := false
		for _, e := range all {
			over = over || e.Until.After(last) && !e.Until.After(now)
			if left := e.Until.Sub(now); left > 0 {
				next = min(next, left)
			}
		}
		if over {
			agencies = append(agencies, agency)
		}
	}
	return agencies, next
}
