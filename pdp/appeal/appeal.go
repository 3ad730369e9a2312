package appeal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// Kind is the store's kind of appeals; each record ends by itself.
const Kind = "appeal"

const schema = 1

// Bounds of what is kept.
const (
	Life       = 2 * 366 * 24 * time.Hour
	mostLetter = 1000
	leastReply = 10
	mostOpen   = 20 // open appeals of one person
	mostAgency = 10_000
)

// InputError says why an appeal or an answer is not taken.
type InputError struct{ why wire.Reason }

func (e *InputError) Error() string { return "appeal: refused: " + e.why.Code }

// Reason returns what the person or the officer is told.
func (e *InputError) Reason() wire.Reason { return e.why }

// Status is the answer's HTTP status.
func (*InputError) Status() int { return 422 }

func refuse(code string, args ...string) error { return &InputError{reason.New(code, args...)} }

// Config is what a Keeper needs.
type Config struct {
	Store store.Store
	// Decided returns the agency whose portal a recorded decision was about,
	// its subject and its session; the error wraps store.ErrNotFound where
	// there is none.
	Decided func(id string) (agency, subject, session string, err error)
	// NotMe is told of a session that the person says was not theirs.
	NotMe  func(ctx context.Context, person, session string) error
	Clock  func() time.Time
	Random io.Reader
}

// Keeper is safe for concurrent use.
type Keeper struct {
	Config

	writing sync.Mutex // one change at a time, so that bounds hold
	mu      sync.RWMutex
	all     map[string]wire.Appeal
}

type kept struct {
	V       int       `json:"v"`
	Expires time.Time `json:"expires"`
	wire.Appeal
}

// New returns a Keeper with what the store holds.
func New(ctx context.Context, c Config) (*Keeper, error) {
	if c.Store == nil || c.Decided == nil || c.NotMe == nil || c.Clock == nil || c.Random == nil {
		return nil, errors.New("appeal: Store, Decided, NotMe, Clock and Random are needed")
	}
	k := &Keeper{Config: c, all: map[string]wire.Appeal{}}
	for after := ""; ; {
		page, err := c.Store.Scan(ctx, store.Prefix(Kind, ""), after, 500)
		if err != nil {
			return nil, fmt.Errorf("appeal: loading: %w", err)
		}
		for _, record := range page.Records {
			var one kept
			if err := json.Unmarshal(record.Value, &one); err != nil || one.V != schema {
				return nil, fmt.Errorf("appeal: unreadable record %s, schema version %d: %w", record.Key, one.V, err)
			}
			k.all[one.ID] = one.Appeal
		}
		if after = page.Next; after == "" {
			return k, nil
		}
	}
}

// File keeps a person's appeal against a decision about them. Where it was
// somebody else, the session is ended first, whether or not there is room for
// the words: who was somebody else could have filled it.
func (k *Keeper) File(ctx context.Context, person, decision string, kind wire.AppealKind, text string) (wire.Appeal, error) {
	text = strings.TrimSpace(text)
	switch {
	case kind != wire.AppealWrong && kind != wire.AppealNotMe:
		return wire.Appeal{}, refuse(reason.AppealKindUnknown)
	case !plain(text):
		return wire.Appeal{}, refuse(reason.AppealText)
	}
	agency, subject, session, err := k.Decided(decision)
	if errors.Is(err, store.ErrNotFound) || err == nil && (subject != person || person == "") {
		return wire.Appeal{}, refuse(reason.AppealDecision)
	}
	if err != nil {
		return wire.Appeal{}, fmt.Errorf("appeal: %w", err)
	}
	k.writing.Lock()
	defer k.writing.Unlock()
	if kind == wire.AppealNotMe {
		if err := k.NotMe(ctx, person, session); err != nil {
			return wire.Appeal{}, fmt.Errorf("appeal: ending the session: %w", err)
		}
	}
	if err := k.room(person, agency, decision, kind); err != nil {
		return wire.Appeal{}, err
	}
	id, err := wire.NewID(wire.PrefixAppeal, k.Random)
	if err != nil {
		return wire.Appeal{}, fmt.Errorf("appeal: %w", err)
	}
	a := wire.Appeal{ID: id, Agency: agency, Person: person, Decision: decision, Kind: kind, Text: text, At: k.Clock().UTC()}
	return a, k.put(ctx, a)
}

// room refuses what was said already. That a decision was wrong, which anybody
// could have said who held the session, leaves it open to say whose it was not.
func (k *Keeper) room(person, agency, decision string, kind wire.AppealKind) error {
	open, agencys := 0, 0
	for _, a := range k.live() {
		if a.Person == person && a.Decision == decision && (a.Kind == kind || a.Kind == wire.AppealNotMe) {
			return refuse(reason.AppealTwice)
		}
		if a.Person == person && a.Outcome == wire.AppealOpen {
			open++
		}
		if a.Agency == agency {
			agencys++
		}
	}
	if open >= mostOpen || agencys >= mostAgency {
		return refuse(reason.AppealTooMany)
	}
	return nil
}

func (k *Keeper) put(ctx context.Context, a wire.Appeal) error {
	value, err := json.Marshal(kept{schema, a.At.Add(Life), a})
	if err != nil {
		return fmt.Errorf("appeal: %w", err)
	}
	if _, err := k.Store.Txn(ctx, nil, []store.Op{{Key: store.Key(Kind, a.Agency, a.ID), Value: value}}); err != nil {
		return fmt.Errorf("appeal: keeping one: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.all[a.ID] = a
	return nil
}

// Answer is an officer's: upheld or dismissed, with words for the person. An
// appeal of another agency is store.ErrNotFound.
func (k *Keeper) Answer(ctx context.Context, agency, id string, outcome wire.AppealOutcome, answer, by string) (wire.Appeal, error) {
	answer = strings.TrimSpace(answer)
	if outcome != wire.AppealUpheld && outcome != wire.AppealDismissed {
		return wire.Appeal{}, refuse(reason.AppealOutcomeUnknown)
	}
	if !plain(answer) || utf8.RuneCountInString(answer) < leastReply {
		return wire.Appeal{}, refuse(reason.AppealAnswer)
	}
	k.writing.Lock()
	defer k.writing.Unlock()
	a, err := k.Appeal(agency, id)
	if err != nil {
		return wire.Appeal{}, err
	}
	if a.Outcome != wire.AppealOpen {
		return wire.Appeal{}, refuse(reason.AppealAnswered)
	}
	a.Outcome, a.Answer, a.By, a.AnsweredAt = outcome, answer, by, k.Clock().UTC()
	return a, k.put(ctx, a)
}

// Appeal returns one of an agency; its error wraps store.ErrNotFound.
func (k *Keeper) Appeal(agency, id string) (wire.Appeal, error) {
	for _, a := range k.live() {
		if a.ID == id && a.Agency == agency {
			return a, nil
		}
	}
	return wire.Appeal{}, fmt.Errorf("appeal: %w", store.ErrNotFound)
}

// Of returns a person's appeals, the latest first.
func (k *Keeper) Of(person string) []wire.Appeal {
	return slices.DeleteFunc(k.live(), func(a wire.Appeal) bool { return a.Person != person })
}

// List returns an agency's appeals, the latest first.
func (k *Keeper) List(agency string) []wire.Appeal {
	return slices.DeleteFunc(k.live(), func(a wire.Appeal) bool { return a.Agency != agency })
}

// Erase drops a person's appeals and says how many.
func (k *Keeper) Erase(ctx context.Context, person string) (int, error) {
	k.writing.Lock()
	defer k.writing.Unlock()
	n := 0
	k.mu.RLock()
	var theirs []wire.Appeal
	for _, a := range k.all {
		if a.Person == person {
			theirs = append(theirs, a)
		}
	}
	k.mu.RUnlock()
	for _, a := range theirs {
		if _, err := k.Store.Txn(ctx, nil, []store.Op{{Key: store.Key(Kind, a.Agency, a.ID), Delete: true}}); err != nil && !errors.Is(err, store.ErrNotFound) {
			return n, fmt.Errorf("appeal: erasing: %w", err)
		}
		k.mu.Lock()
		delete(k.all, a.ID)
		k.mu.Unlock()
		n++
	}
	return n, nil
}

// live returns what has not ended, the latest first, and forgets what has: the
// store's own copy is swept.
func (k *Keeper) live() []wire.Appeal {
	ended := k.Clock().Add(-Life)
	k.mu.Lock()
	defer k.mu.Unlock()
	list := make([]wire.Appeal, 0, len(k.all))
	for id, a := range k.all {
		if a.At.Before(ended) {
			delete(k.all, id)
			continue
		}
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b wire.Appeal) int {
		if c := b.At.Compare(a.At); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return list
}

// plain reports whether a text is short and can be shown: an officer's terminal
// gets it too.
func plain(text string) bool {
	if utf8.RuneCountInString(text) > mostLetter || !utf8.ValidString(text) {
		return false
	}
	for _, r := range text {
		if r != '\n' && !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}
