package risk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Times of a key set that a source publishes.
const (
	// refreshEvery is how old it may be before it is read anew, tryEvery the
	// least time between two tries, lastFor how long it counts while it cannot
	// be read.
	refreshEvery = 15 * time.Minute
	tryEvery     = time.Minute
	lastFor      = 24 * time.Hour
	fetchTimeout = 5 * time.Second
)

var errNoKeys = errors.New("risk: the source's keys cannot be had")

// keys are a source's at present.
type keys struct {
	mu        sync.Mutex
	set       KeySet
	at, tried time.Time // when set was read, and when that was tried last
	doubted   bool      // a token was signed with none of them
}

func (k *keys) take(set KeySet, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.set, k.at, k.tried, k.doubted = set, now, now, false
}

// doubt has the keys read anew before their time: the source may have new ones.
func (k *keys) doubt() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.doubted = true
}

// keysOf returns the keys that a source's tokens are verified with now. Callers
// of one source wait for one another, at their own cost.
func (l *Listener) keysOf(ctx context.Context, s *source) (KeySet, error) {
	k := &s.keys
	k.mu.Lock()
	defer k.mu.Unlock()
	if s.KeysURL == "" {
		return k.set, nil
	}
	now := l.Clock()
	if (k.set == nil || k.doubted || now.Sub(k.at) >= refreshEvery) && now.Sub(k.tried) >= tryEvery {
		k.tried = now
		set, err := l.fetch(context.WithoutCancel(ctx), s.KeysURL)
		if err != nil {
			l.Logger.Warn("a risk source's keys cannot be read", "agency", s.Agency, "from", s.ID, "error", err)
		} else {
			k.set, k.at, k.doubted = set, now, false
		}
	}
	if k.set == nil || now.Sub(k.at) >= lastFor {
		return nil, errNoKeys
	}
	return k.set, nil
}

// fetch reads the key set that is published at an address.
func (l *Listener) fetch(ctx context.Context, address string) (KeySet, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("risk: %w", err)
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json")
	answer, err := l.HTTP.Do(request)
	if err != nil {
		return nil, fmt.Errorf("risk: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("risk: the keys' address answered %d", answer.StatusCode)
	}
	raw, err := io.ReadAll(io.LimitReader(answer.Body, maxKeys+1))
	if err != nil {
		return nil, fmt.Errorf("risk: %w", err)
	}
	if len(raw) > maxKeys {
		return nil, fmt.Errorf("risk: a key set of more than %d bytes", maxKeys)
	}
	return l.Keys(raw)
}

// soundAddress accepts https addresses without a user or a fragment.
func soundAddress(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Scheme == "https" && u.Hostname() != "" && u.User == nil && u.Fragment == "" && u.Opaque == "" && len(text) <= mostAddress
}
