package session

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// Errors of Create.
var (
	ErrIncomplete = errors.New("session: the login says too little")
	ErrTooOld     = errors.New("session: the sign-in is over already")
	ErrUnrecorded = errors.New("session: the audit log takes no records")
)

// Create starts the session of a login that was redeemed at portal by a
// browser at address, and returns the new cookie's value. The session that the
// browser's previous cookie named, if any, ends with it: for the same person,
// device and portal it is renewed under its id, keeping the other networks that
// it has proven. A denied person gets a session too: it is decided anew as
// facts change.
func (m *Manager) Create(ctx context.Context, portal wire.Portal, login wire.Login, address netip.Addr, previous [sha256.Size]byte) (cookie string, err error) {
	now := m.clock()
	network, err := netip.ParsePrefix(wire.NetworkOf(address))
	if err != nil || portal.ID == "" || portal.Agency == "" || login.Portal != portal.ID ||
		login.SignIn.PersonID == "" || login.SignIn.At.IsZero() || login.Binding.DeviceID == "" || login.Binding.At.IsZero() {
		return "", ErrIncomplete
	}
	// What is dated in the future would last longer than its limits.
	signIn, binding := login.SignIn, login.Binding
	signIn.At, binding.At = earlier(signIn.At, now), earlier(binding.At, now)
	s := &session{portal: portal.ID, agency: portal.Agency, signIn: signIn, device: binding.DeviceID, created: now.UTC(),
		ends: signIn.At.Add(m.limits.Absolute).UnixNano()}
	if now.UnixNano() >= s.ends {
		return "", ErrTooOld
	}
	s.lastSeen.Store(now.UnixNano())
	s.places = []*place{newPlace(network, binding)}
	if cookie, err = m.drawCookie(s); err != nil {
		return "", err
	}
	old := m.live.get(&previous)
	if old != nil && old.portal == s.portal {
		renewed, err := m.renew(ctx, s, old, now.UnixNano())
		if err != nil {
			return "", err
		}
		if renewed {
			return cookie, nil
		}
	}
	if s.id, err = wire.NewID(wire.PrefixSession, m.random); err != nil {
		return "", err
	}
	if err := m.begin(ctx, s, false); err != nil {
		return "", err
	}
	if old != nil && old.portal == s.portal { // its cookie is overwritten in the browser
		if err := m.end(ctx, old, EndReplaced); err != nil {
			m.log.Warn("previous session not ended whole", "session", old.id, "error", err)
		}
	}
	m.limitPerson(ctx, signIn.PersonID)
	return cookie, nil
}

// renew lets s take old's place if it is the same person's, on the same device,
// and old has not ended.
func (m *Manager) renew(ctx context.Context, s, old *session, now int64) (bool, error) {
	if old.signIn.PersonID != s.signIn.PersonID || old.device != s.device {
		return false, nil
	}
	turn := m.turn(old.id)
	turn.Lock()
	defer turn.Unlock()
	if old.ended.Load() || m.over(old, now) {
		return false, nil
	}
	m.inherit(s, old, now)
	if err := m.begin(ctx, s, true); err != nil {
		return false, err
	}
	m.tell(s, Event{Before: old.signIn})
	return true, nil
}

func earlier(a, b time.Time) time.Time {
	if a.After(b) {
		return b
	}
	return a
}

// inherit keeps what a renewal keeps: the id, the beginning, and the other
// networks whose proof still counts, each with its own, the latest first.
func (m *Manager) inherit(s, old *session, now int64) {
	s.id, s.created = old.id, old.created
	for _, p := range old.places {
		if p.network != s.places[0].network && now-p.provenAt < m.reconfirmAt {
			s.places = append(s.places, newPlace(p.network, p.binding))
		}
	}
	slices.SortStableFunc(s.places[1:], func(a, b *place) int { return int(min(1, max(-1, b.provenAt-a.provenAt))) })
	s.places = s.places[:min(len(s.places), maxPlaces)]
	old.mu.Lock()
	s.revision = old.revision
	old.mu.Unlock()
}

func (m *Manager) drawCookie(s *session) (string, error) {
	var raw [32]byte
	if _, err := io.ReadFull(m.random, raw[:]); err != nil {
		return "", fmt.Errorf("session: drawing a cookie: %w", err)
	}
	cookie := base64.RawURLEncoding.EncodeToString(raw[:])
	s.cookie = sha256.Sum256([]byte(cookie))
	return cookie, nil
}

// begin stores s, records its beginning and lets it be used, in this order.
func (m *Manager) begin(ctx context.Context, s *session, renewed bool) error {
	if err := m.put(ctx, s); err != nil {
		return err
	}
	detail, err := json.Marshal(map[string]any{"event": "session-started", "renewed": renewed,
		"network": s.places[0].network.String(), "aal": s.signIn.AAL, "way": s.places[0].binding.Way, "key": s.signIn.KeyID})
	if err != nil {
		return fmt.Errorf("session: %w", err)
	}
	if err := m.note(ctx, s.audit(wire.AuditSignIn, m.clock(), "", detail)); err != nil {
		// Nobody holds this cookie; the record is only tidied away.
		_ = m.remove(ctx, s)
		return fmt.Errorf("%w: %w", ErrUnrecorded, err)
	}
	m.add(s)
	return nil
}

// put writes s over the record that it replaces, or where there is none,
// whatever the client does meanwhile.
func (m *Manager) put(ctx context.Context, s *session) error {
	ctx, cancel := detached(ctx)
	defer cancel()
	seen := s.lastSeen.Load()
	value, err := s.marshal(seen)
	if err != nil {
		return err
	}
	for range 3 {
		revision, err := m.store.Txn(ctx, []store.Compare{{Key: s.key(), Revision: s.revision}}, []store.Op{{Key: s.key(), Value: value}})
		if err == nil {
			s.revision, s.stored = revision, seen
			return nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return fmt.Errorf("session: storing: %w", err)
		}
		// The old record's last use was stored meanwhile.
		current, err := m.store.Get(ctx, s.key(), store.Linearizable)
		if err != nil {
			return fmt.Errorf("session: storing: %w", err)
		}
		s.revision = current.Revision
	}
	return fmt.Errorf("session: storing: %w", store.ErrConflict)
}
