package risk

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

const (
	sourceKind   = "signal-source"
	sourcePrefix = "src"
	schema       = 1
)

// InputError says why a source is not taken.
type InputError struct{ why wire.Reason }

func (e *InputError) Error() string { return "risk: refused: " + e.why.Code }

// Reason returns what the administrator is told.
func (e *InputError) Reason() wire.Reason { return e.why }

func refuse(code string, args ...string) error { return &InputError{reason.New(code, args...)} }

// source is one in memory. Its record does not change.
type source struct {
	wire.SignalSource
	secret [sha256.Size]byte
	keys   keys

	mu       sync.Mutex
	refused  int       // since it was recorded last
	recorded time.Time // when that was
}

type sourceRecord struct {
	V int `json:"v"`
	wire.SignalSource
	// Digest is SHA-256 of the bearer secret.
	Digest []byte `json:"digest"`
}

var domainShape = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}$`)

// AddSource makes a source for an agency and returns its bearer secret, this once.
func (l *Listener) AddSource(ctx context.Context, s wire.SignalSource, by string) (wire.SignalSource, string, error) {
	if s.Life == 0 {
		s.Life = DefaultLife
	}
	given, err := l.checkSource(ctx, s)
	if err != nil {
		return wire.SignalSource{}, "", err
	}
	l.adding.Lock()
	defer l.adding.Unlock()
	all := l.Sources(s.Agency)
	if len(all) >= mostSources {
		return wire.SignalSource{}, "", refuse(reason.CfgSourceTooMany)
	}
	if slices.ContainsFunc(all, func(o wire.SignalSource) bool { return o.Name == s.Name }) {
		return wire.SignalSource{}, "", refuse(reason.CfgSourceName)
	}
	var raw [32]byte
	if s.ID, err = wire.NewID(sourcePrefix, l.Random); err == nil {
		_, err = io.ReadFull(l.Random, raw[:])
	}
	if err != nil {
		return wire.SignalSource{}, "", fmt.Errorf("risk: %w", err)
	}
	secret := base64.RawURLEncoding.EncodeToString(raw[:])
	s.AddedAt, s.AddedBy, s.Statements = l.Clock().UTC(), by, 0
	one := &source{SignalSource: s, secret: sha256.Sum256([]byte(secret))}
	one.keys.take(given, l.Clock())
	value, err := json.Marshal(sourceRecord{schema, s, one.secret[:]})
	if err != nil {
		return wire.SignalSource{}, "", fmt.Errorf("risk: %w", err)
	}
	key := store.Key(sourceKind, s.Agency, s.ID)
	if _, err := l.Store.Txn(ctx, []store.Compare{{Key: key}}, []store.Op{{Key: key, Value: value}}); err != nil {
		return wire.SignalSource{}, "", fmt.Errorf("risk: keeping a source: %w", err)
	}
	l.mu.Lock()
	l.sources[one.secret] = one
	l.mu.Unlock()
	return s, secret, nil
}

func (l *Listener) checkSource(ctx context.Context, s wire.SignalSource) (KeySet, error) {
	if n := utf8.RuneCountInString(s.Name); n == 0 || n > mostName || strings.TrimSpace(s.Name) != s.Name {
		return nil, refuse(reason.CfgSourceName)
	}
	issuer, err := url.Parse(s.Issuer)
	if err != nil || issuer.Scheme != "https" || issuer.Host == "" || len(s.Issuer) > mostText {
		return nil, refuse(reason.CfgSourceIssuer)
	}
	if s.Life < 1 || s.Life > mostLife {
		return nil, refuse(reason.CfgSourceLife)
	}
	for i, d := range s.Domains {
		if !domainShape.MatchString(d) || len(d) > mostText || i >= mostDomains {
			return nil, refuse(reason.CfgSourceDomain, "domain", d)
		}
	}
	if s.KeysURL != "" {
		if !soundAddress(s.KeysURL) || s.Keys != nil {
			return nil, refuse(reason.CfgSourceKeysURL)
		}
		published, err := l.fetch(ctx, s.KeysURL)
		if err != nil {
			return nil, errors.Join(refuse(reason.CfgSourceKeysURL), err)
		}
		return published, nil
	}
	if len(s.Keys) > maxKeys {
		return nil, refuse(reason.CfgSourceKeys)
	}
	keys, err := l.Keys(s.Keys)
	if err != nil {
		return nil, errors.Join(refuse(reason.CfgSourceKeys), err)
	}
	return keys, nil
}

// RemoveSource ends a source of the agency with all that it says. One that is not
// there, or another agency's, is store.ErrNotFound.
func (l *Listener) RemoveSource(ctx context.Context, agency, id string) (wire.SignalSource, error) {
	if wire.CheckID(sourcePrefix, id) != nil {
		return wire.SignalSource{}, fmt.Errorf("risk: %w", store.ErrNotFound)
	}
	taken, err := l.Store.Take(ctx, store.Key(sourceKind, agency, id))
	if err != nil {
		return wire.SignalSource{}, fmt.Errorf("risk: removing a source: %w", err)
	}
	l.mu.Lock()
	for secret, s := range l.sources {
		if s.ID == id {
			delete(l.sources, secret)
		}
	}
	l.mu.Unlock()
	var gone sourceRecord
	err = json.Unmarshal(taken.Value, &gone)
	return gone.SignalSource, errors.Join(err, l.forgetSource(ctx, id))
}

// Sources returns an agency's sources by name, with how much they say.
func (l *Listener) Sources(agency string) []wire.SignalSource {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var all []wire.SignalSource
	for _, s := range l.sources {
		if s.Agency == agency {
			shown := s.SignalSource
			shown.Statements = l.counts[s.ID]
			all = append(all, shown)
		}
	}
	slices.SortFunc(all, func(a, b wire.SignalSource) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return all
}

// known returns the source with this bearer secret at this agency, nil if there
// is none.
func (l *Listener) known(agency, secret string) *source {
	l.mu.RLock()
	defer l.mu.RUnlock()
	s := l.sources[sha256.Sum256([]byte(secret))]
	if s == nil || s.Agency != agency {
		return nil
	}
	return s
}

// due counts a refusal and returns how many are to be recorded now, 0 if none.
func (s *source) due(now time.Time) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused++
	if now.Sub(s.recorded) < refusalsEvery {
		return 0
	}
	n := s.refused
	s.refused, s.recorded = 0, now
	return n
}
