package recorded

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/pdp/store"
)

// owner is whose decisions a key seals, and which agency recorded them.
type owner struct{ agency, person string }

func (o owner) prefix() string { return store.Key(Kind, o.agency, o.person+".") }

// personKey is one person's key for one period.
type personKey struct {
	name   string
	period int64
	secret [32]byte
	// again is when the store is asked whether the key still exists: another
	// replica may have erased it.
	again time.Time
}

// stored is a key in the store.
type stored struct {
	V       int       `json:"v"`
	Expires time.Time `json:"expires"`
	Name    string    `json:"name"`
	Sealed  string    `json:"sealed"`
}

const (
	version = 1
	// askAgain bounds how long a replica uses a key that another one erased.
	askAgain = 10 * time.Minute
)

func periodOf(t time.Time) int64 { return t.Unix() / int64(Period/time.Second) }

// ends is when a period's keys end.
func (k *Keeper) ends(period int64) time.Time {
	return time.Unix(period*int64(Period/time.Second), 0).UTC().Add(k.config.Keep)
}

func (o owner) storeKey(period int64) string {
	return o.prefix() + strconv.FormatInt(period, 10)
}

func (o owner) purpose(name string) string {
	return "recorded-inputs/" + o.agency + "/" + o.person + "/" + name
}

// key returns the key under which a record of now is sealed.
func (k *Keeper) key(ctx context.Context, who owner) (*personKey, error) {
	now := k.config.Clock()
	period := periodOf(now)
	if known := k.known.get(who); known.serves(period, now) {
		return known, nil
	}
	turn := k.known.turn(who)
	turn.Lock()
	defer turn.Unlock()
	if known := k.known.get(who); known.serves(period, now) {
		return known, nil
	}
	found, err := k.read(ctx, who, period, now)
	if errors.Is(err, ErrErased) {
		found, err = k.make(ctx, who, period, now)
	}
	if err != nil {
		return nil, err
	}
	found.again = now.Add(askAgain)
	k.known.put(who, found)
	return found, nil
}

func (p *personKey) serves(period int64, now time.Time) bool {
	return p != nil && p.period == period && now.Before(p.again)
}

// read returns the key of a period, or ErrErased where there is none.
func (k *Keeper) read(ctx context.Context, who owner, period int64, now time.Time) (*personKey, error) {
	if !now.Before(k.ends(period)) {
		return nil, ErrErased
	}
	r, err := k.config.Store.Get(ctx, who.storeKey(period), store.Linearizable)
	if errors.Is(err, store.ErrNotFound) {
		return nil, ErrErased
	}
	if err != nil {
		return nil, err
	}
	var s stored
	if err := json.Unmarshal(r.Value, &s); err != nil || s.V != version {
		return nil, fmt.Errorf("recorded: a stored key is not one: %w", err)
	}
	if !now.Before(s.Expires) {
		return nil, ErrErased
	}
	found := personKey{name: s.Name, period: period}
	var secret []byte
	if err := k.config.Sealer.Open(who.purpose(s.Name), s.Sealed, now, &secret); err != nil {
		return nil, fmt.Errorf("recorded: a stored key does not open: %w", err)
	}
	if copy(found.secret[:], secret) != len(found.secret) {
		return nil, errors.New("recorded: a stored key is too short")
	}
	return &found, nil
}

// make stores a new key. Of two replicas that make one, the second reads the
// first's.
func (k *Keeper) make(ctx context.Context, who owner, period int64, now time.Time) (*personKey, error) {
	made := personKey{period: period}
	var id [8]byte
	for _, b := range [][]byte{id[:], made.secret[:]} {
		if _, err := io.ReadFull(k.config.Random, b); err != nil {
			return nil, fmt.Errorf("recorded: drawing a key: %w", err)
		}
	}
	made.name = strconv.FormatInt(period, 10) + "." + hex.EncodeToString(id[:])
	s := stored{V: version, Expires: k.ends(period), Name: made.name}
	var err error
	if s.Sealed, err = k.config.Sealer.Seal(who.purpose(made.name), s.Expires, made.secret[:]); err != nil {
		return nil, err
	}
	value, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("recorded: %w", err)
	}
	at := who.storeKey(period)
	_, err = k.config.Store.Txn(ctx, []store.Compare{{Key: at}}, []store.Op{{Key: at, Value: value}})
	if errors.Is(err, store.ErrConflict) {
		return k.read(ctx, who, period, now)
	}
	if err != nil {
		return nil, err
	}
	return &made, nil
}

// named returns the key of that name, or ErrErased.
func (k *Keeper) named(ctx context.Context, who owner, name string) (*personKey, error) {
	digits, _, ok := strings.Cut(name, ".")
	period, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || period < 0 || period > periodOf(k.config.Clock()) {
		return nil, ErrForged
	}
	found, err := k.read(ctx, who, period, k.config.Clock())
	if err != nil {
		return nil, err
	}
	if found.name != name {
		return nil, ErrErased // another key was made after the first was erased
	}
	return found, nil
}
