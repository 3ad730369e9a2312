package recorded

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/menshen-zt/menshen/pdp/store"
)

// Kind is the store's kind of the keys. Their values say when they expire, for
// the sweeper.
const Kind = "inputs-key"

// Period is how long one key serves. A key ends when its period's beginning is
// Config.Keep ago: nothing is kept longer than Keep, and nothing is lost earlier
// than Keep − Period.
const Period = 30 * 24 * time.Hour

// Errors of a Keeper.
var (
	// ErrErased says that the key is gone: the person's data were erased, or
	// the time for which they are kept is over.
	ErrErased = errors.New("recorded: erased")
	// ErrForged says that these are not the bytes that were sealed for this
	// decision.
	ErrForged = errors.New("recorded: not what was sealed for this decision")
	// ErrTooLarge says that the inputs are more than a record may hold.
	ErrTooLarge = errors.New("recorded: more than a record may hold")
)

// Sealer seals a person's key under the PDP's own.
type Sealer interface {
	Seal(purpose string, expires time.Time, v any) (string, error)
	Open(purpose, text string, now time.Time, v any) error
}

// Config is what a Keeper stands on. All members are needed.
type Config struct {
	Store  store.Store
	Sealer Sealer
	Clock  func() time.Time
	Random io.Reader
	// Keep is how long what was recorded can be opened, more than a Period.
	Keep time.Duration
}

// Keeper seals and opens what was recorded. It is safe for concurrent use.
type Keeper struct {
	config Config
	known  cache
}

// New returns a Keeper.
func New(c Config) (*Keeper, error) {
	if c.Store == nil || c.Sealer == nil || c.Clock == nil || c.Random == nil {
		return nil, errors.New("recorded: a member of the configuration is missing")
	}
	if c.Keep <= Period {
		return nil, errors.New("recorded: inputs must be kept for more than a period of their keys")
	}
	return &Keeper{config: c, known: newCache()}, nil
}

// Erase destroys every key of a person in the agencies given, and says how many
// that were. What was sealed under them cannot be opened from then on.
func (k *Keeper) Erase(ctx context.Context, person string, agencies []string) (int, error) {
	erased := 0
	for _, agency := range agencies {
		n, err := k.erase(ctx, owner{agency, person})
		erased += n
		if err != nil {
			return erased, err
		}
	}
	return erased, nil
}

func (k *Keeper) erase(ctx context.Context, who owner) (int, error) {
	turn := k.known.turn(who)
	turn.Lock()
	defer turn.Unlock()
	k.known.drop(who)
	erased, after := 0, ""
	for {
		page, err := k.config.Store.Scan(ctx, who.prefix(), after, store.MaxTxnParts)
		if err != nil {
			return erased, err
		}
		ops := make([]store.Op, 0, len(page.Records))
		for _, r := range page.Records {
			ops = append(ops, store.Op{Key: r.Key, Delete: true})
		}
		if len(ops) > 0 {
			if _, err := k.config.Store.Txn(ctx, nil, ops); err != nil {
				return erased, err
			}
			erased += len(ops)
		}
		if after = page.Next; after == "" {
			return erased, nil
		}
	}
}
