package token

import (
	"context"
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/menshen-zt/menshen/internal/wire"
)

const (
	// MaxLife bounds an access token's life.
	MaxLife = 5 * time.Minute
	// minLife lets an application still verify the token of a decision that
	// ends while the request is on its way.
	minLife = 30 * time.Second
	// settled is how long a rotation must lie back: caches have then seen the
	// next key, and nothing that the previous one signed is valid.
	settled = 2*cacheLife + MaxLife
	// RotateEvery is how long a key signs before Tend replaces it.
	RotateEvery = 90 * 24 * time.Hour
)

// Agencies tells the names that a token carries.
type Agencies interface {
	Agency(ctx context.Context, id string) (wire.Agency, error)
}

// Config is what an Issuer stands on. All members are needed.
type Config struct {
	Dir      string // of the signing keys
	Origin   string // the PDP's, such as https://pdp.example.gov.tw
	Agencies Agencies
	Clock    func() time.Time
	Random   io.Reader // for token ids
}

// Issuer mints tokens. It is safe for concurrent use.
type Issuer struct {
	folder   *folder
	origin   string
	agencies Agencies
	clock    func() time.Time
	random   io.Reader

	access, events *suite

	mu    sync.RWMutex
	rings map[ringKey]*ring
	// mute are agencies with keys that sign no security events: so many as there
	// are agencies, whatever strangers ask for.
	mute map[string]bool
	// subscribers hear of withdrawn keys.
	subscribers []func(agency string)
}

// ringKey names an agency's keys of one suite.
type ringKey struct {
	agency string
	suite  *suite
}

// New opens the folder of signing keys, making it where there is none.
func New(c Config) (*Issuer, error) {
	if c.Dir == "" || !strings.HasPrefix(c.Origin, "https://") || c.Agencies == nil || c.Clock == nil || c.Random == nil {
		return nil, errors.New("token: a member of the configuration is missing")
	}
	f, err := openFolder(c.Dir)
	if err != nil {
		return nil, err
	}
	return &Issuer{folder: f, origin: c.Origin, agencies: c.Agencies, clock: c.Clock, random: c.Random,
		access: accessTokens(), events: securityEvents(), rings: map[ringKey]*ring{}, mute: map[string]bool{}}, nil
}

// Close releases the folder.
func (i *Issuer) Close() error { return i.folder.root.Close() }

// Ensure makes an agency's keys if it has none.
func (i *Issuer) Ensure(agency string) error {
	_, err := i.ring(agency, i.access, true)
	return err
}

// Rotate lets the next key for access tokens sign and publishes a new next one.
// It returns ErrTooSoon unless caches have seen the next key and the previous
// one's tokens have expired.
func (i *Issuer) Rotate(agency string) error { return i.rotate(agency, i.access) }

func (i *Issuer) rotate(agency string, of *suite) error {
	r, err := i.ring(agency, of, false)
	if err != nil {
		return err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	name := ringKey{agency, of}
	if i.rings[name] != r || i.clock().Sub(r.state.Since) < settled {
		return ErrTooSoon
	}
	next, err := i.folder.draw(agency, of)
	if err != nil {
		return err
	}
	s := state{V: 1, Previous: r.state.Current, Current: r.state.Next, Next: next, Since: i.clock().UTC()}
	if err := i.folder.settle(agency, of, s); err != nil {
		return err
	}
	fresh, err := i.folder.load(agency, of)
	if err != nil {
		return err
	}
	i.rings[name] = fresh
	if r.state.Previous == "" {
		return nil
	}
	if err := i.folder.root.Remove(keyFile(agency, r.state.Previous)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("token: removing a key that is not used any more: %w", err)
	}
	return nil
}

// Withdraw takes an agency's signing keys for access tokens out of use at once:
// what they signed is not verified here any more, and by portals no longer than
// they keep published keys. The next key signs from now on. For a key that may
// have been copied.
func (i *Issuer) Withdraw(agency string) error {
	if err := i.withdraw(agency); err != nil {
		return err
	}
	i.mu.RLock()
	subscribers := i.subscribers
	i.mu.RUnlock()
	for _, f := range subscribers {
		f(agency)
	}
	return nil
}

// Subscribe has f called after an agency's keys were withdrawn. A rotation
// withdraws no key whose tokens have not all expired.
func (i *Issuer) Subscribe(f func(agency string)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.subscribers = append(i.subscribers, f)
}

func (i *Issuer) withdraw(agency string) error {
	r, err := i.ring(agency, i.access, false)
	if err != nil {
		return err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	name := ringKey{agency, i.access}
	if i.rings[name] != r {
		return ErrTooSoon
	}
	next, err := i.folder.draw(agency, i.access)
	if err != nil {
		return err
	}
	if err := i.folder.settle(agency, i.access, state{V: 1, Current: r.state.Next, Next: next, Since: i.clock().UTC()}); err != nil {
		return err
	}
	if i.rings[name], err = i.folder.load(agency, i.access); err != nil {
		delete(i.rings, name)
		return err
	}
	for _, id := range []string{r.state.Previous, r.state.Current} {
		if err := i.folder.root.Remove(keyFile(agency, id)); id != "" && err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("token: removing a withdrawn key: %w", err)
		}
	}
	return nil
}

// Tend rotates the keys whose time has come. Call it now and then.
func (i *Issuer) Tend() error {
	i.mu.RLock()
	var due []ringKey
	for name, r := range i.rings {
		if i.clock().Sub(r.state.Since) >= RotateEvery {
			due = append(due, name)
		}
	}
	i.mu.RUnlock()
	var failed error
	for _, name := range due {
		failed = errors.Join(failed, i.rotate(name.agency, name.suite))
	}
	return failed
}

// ring returns an agency's keys, from disk the first time, and makes them
// where create is set.
func (i *Issuer) ring(agency string, of *suite, create bool) (*ring, error) {
	if !agencyID.MatchString(agency) {
		return nil, errAgency
	}
	name := ringKey{agency, of}
	i.mu.RLock()
	r := i.rings[name]
	i.mu.RUnlock()
	if r != nil {
		return r, nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if r = i.rings[name]; r != nil {
		return r, nil
	}
	r, err := i.folder.load(agency, of)
	if errors.Is(err, ErrNoKeys) && create {
		r, err = i.create(agency, of)
	}
	if err != nil {
		return nil, err
	}
	i.rings[name] = r
	delete(i.mute, agency)
	return r, nil
}

func (i *Issuer) create(agency string, of *suite) (*ring, error) {
	if err := i.folder.root.Mkdir(agency, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("token: %w", err)
	}
	s := state{V: 1, Since: i.clock().UTC()}
	for _, id := range []*string{&s.Current, &s.Next} {
		var err error
		if *id, err = i.folder.draw(agency, of); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(i.folder.settle(agency, of, s), i.folder.sync(".")); err != nil {
		return nil, err
	}
	return i.folder.load(agency, of)
}

// thumbprint is a key's id: RFC 7638, SHA-256.
func thumbprint(key crypto.Signer) (string, error) {
	sum, err := (&jose.JSONWebKey{Key: key.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}
