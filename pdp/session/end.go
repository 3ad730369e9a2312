package session

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// ErrUnknown is returned for a session that is not known (any more). It wraps
// store.ErrNotFound, by which packages that may not import this one tell it.
var ErrUnknown = fmt.Errorf("session: unknown: %w", store.ErrNotFound)

// SignOut ends the session of this cookie at this portal, from wherever it is
// asked. An unknown cookie is no error: the person is signed out.
func (m *Manager) SignOut(ctx context.Context, portalID string, cookie [sha256.Size]byte) error {
	s := m.live.get(&cookie)
	if s == nil || s.portal != portalID {
		return nil
	}
	return m.end(ctx, s, EndSignedOut)
}

// Revoke ends one session. When it returns an error other than ErrUnknown the
// session has ended here, but a restart could bring it back: ask again.
func (m *Manager) Revoke(ctx context.Context, sessionID string) error {
	m.known.mu.Lock()
	s := m.known.byID[sessionID]
	m.known.mu.Unlock()
	if s == nil {
		return ErrUnknown
	}
	return m.end(ctx, s, EndRevoked)
}

// RevokePerson ends all of a person's sessions and says how many.
func (m *Manager) RevokePerson(ctx context.Context, personID string) (int, error) {
	var failed error
	list := m.of(personID)
	for _, s := range list {
		failed = errors.Join(failed, m.end(ctx, s, EndRevoked))
	}
	return len(list), failed
}

// Live returns how many sessions there are.
func (m *Manager) Live() int {
	m.known.mu.Lock()
	defer m.known.mu.Unlock()
	return len(m.known.byID)
}

// Sessions returns a person's sessions, oldest first; everybody's for "".
func (m *Manager) Sessions(personID string) []Info {
	list := m.of(personID)
	if personID == "" {
		list = m.all()
	}
	infos := make([]Info, 0, len(list))
	for _, s := range list {
		infos = append(infos, s.info())
	}
	slices.SortFunc(infos, func(a, b Info) int {
		if c := a.Created.Compare(b.Created); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return infos
}

func (m *Manager) of(personID string) []*session {
	m.known.mu.Lock()
	defer m.known.mu.Unlock()
	list := make([]*session, 0, len(m.known.byPerson[personID]))
	for s := range m.known.byPerson[personID] {
		list = append(list, s)
	}
	return list
}

// end takes effect in memory first, so that the next request feels it whatever
// store and log do.
func (m *Manager) end(ctx context.Context, s *session, why EndCause) error {
	turn := m.turn(s.id)
	turn.Lock()
	defer turn.Unlock()
	m.known.mu.Lock()
	renewed := m.known.byID[s.id]
	if renewed != nil {
		s = renewed
		m.forget(s)
	}
	m.known.mu.Unlock()
	err := m.remove(ctx, s)
	if renewed != nil { // else it has ended before, and was told
		m.tell(s, Event{Cause: why})
	}
	detail, marshalErr := json.Marshal(map[string]string{"event": "session-ended", "why": string(why)})
	if marshalErr != nil {
		return errors.Join(err, marshalErr)
	}
	return errors.Join(err, m.note(ctx, s.audit(wire.AuditSignIn, m.clock(), "", detail)))
}

// limitPerson ends a person's longest unused sessions above the limit.
func (m *Manager) limitPerson(ctx context.Context, personID string) {
	list := m.of(personID)
	if len(list) <= m.limits.PerPerson {
		return
	}
	slices.SortFunc(list, func(a, b *session) int { return int(min(1, max(-1, a.lastSeen.Load()-b.lastSeen.Load()))) })
	for _, s := range list[:len(list)-m.limits.PerPerson] {
		if err := m.end(ctx, s, EndTooMany); err != nil {
			m.log.Warn("session above the limit not ended whole", "session", s.id, "error", err)
		}
	}
}
