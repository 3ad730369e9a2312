package session

import (
	"context"
	"net/netip"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Authorize answers one request of a portal. For a known session with a
// decision that holds it neither waits nor allocates.
func (m *Manager) Authorize(ctx context.Context, q wire.AccessRequest) wire.Access {
	return m.authorize(ctx, &q, true)
}

// Recheck is Authorize for what goes on without requests, such as an open
// connection: it keeps no session alive and counts no use.
func (m *Manager) Recheck(ctx context.Context, q wire.AccessRequest) wire.Access {
	a := m.authorize(ctx, &q, false)
	if a.Reason.Code == m.why.none.Code {
		// It may have been renewed while it was asked about: another in its place.
		a = m.authorize(ctx, &q, false)
	}
	return a
}

func (m *Manager) authorize(ctx context.Context, q *wire.AccessRequest, use bool) wire.Access {
	now := m.clock().UnixNano()
	s, at, why := m.admit(q, now)
	if at == nil {
		return wire.Access{Outcome: wire.AccessSignIn, Reason: why}
	}
	// No allow without a log that takes records (requirements 23).
	if now > m.recordedUntil.Load() {
		return m.unrecorded(s)
	}
	sl := at.slot(q.Action, q.Class)
	g, first := sl.current.Load(), false
	waited := !m.holds(g, now)
	if waited {
		if g, first = m.decided(ctx, asked{s, at, sl, q.Action, q.Class, q.Address}); g == nil {
			return wire.Access{Outcome: wire.AccessRefused, Reason: reason.New(reason.Unavailable), Session: s.id}
		}
	}
	// A revocation that came while the decision was being taken is felt too.
	if s.ended.Load() {
		return wire.Access{Outcome: wire.AccessSignIn, Reason: m.why.none}
	}
	if use {
		m.count(q, s, g, first, now)
	}
	answer := g.access
	answer.Waited = waited
	return answer
}

// count notes a use of a decision, and of the session if the person made it.
func (m *Manager) count(q *wire.AccessRequest, s *session, g *grant, first bool, now int64) {
	if !first && g.access.Decision != nil && g.uses.Add(1) == 1 {
		m.used(g)
	}
	if q.Session == "" {
		s.touch(now)
	}
}

// Peek returns what Authorize last answered for such a request, if that is
// still in memory. It decides nothing, counts nothing and keeps no session
// alive.
func (m *Manager) Peek(q wire.AccessRequest) (wire.Access, bool) {
	_, at, _ := m.admit(&q, m.clock().UnixNano())
	if at == nil {
		return wire.Access{}, false
	}
	g := at.slot(q.Action, q.Class).current.Load()
	if g == nil {
		return wire.Access{}, false
	}
	return g.access, true
}

// Admitted reports whether Authorize would find a session usable for q, whatever
// it would decide, and the device that the session is bound to.
func (m *Manager) Admitted(q wire.AccessRequest) (deviceID string, ok bool) {
	s, at, _ := m.admit(&q, m.clock().UnixNano())
	if at == nil {
		return "", false
	}
	return s.device, true
}

// admit finds the request's session and the proven network that it comes from,
// or says why there is none. What it refuses does not keep a session alive.
func (m *Manager) admit(q *wire.AccessRequest, now int64) (*session, *place, wire.Reason) {
	s := m.find(q)
	if s == nil || q.Portal == nil || s.portal != q.Portal.ID {
		return nil, nil, m.why.none
	}
	if now >= s.ends {
		return nil, nil, m.why.tooOld
	}
	if now-s.lastSeen.Load() >= m.idle {
		return nil, nil, m.why.idle
	}
	at := s.placeOf(q)
	if at == nil {
		m.fromElsewhere(s, q.Address, now)
		return s, nil, m.why.network
	}
	age := now - at.provenAt
	if age >= m.reconfirmAt || (q.Navigation && age >= m.reconfirmFrom) {
		return s, nil, m.why.reconfirm
	}
	return s, at, wire.Reason{}
}

func (m *Manager) find(q *wire.AccessRequest) *session {
	if q.Session == "" {
		return m.live.get(&q.CookieHash)
	}
	m.known.mu.RLock()
	defer m.known.mu.RUnlock()
	return m.known.byID[q.Session]
}

func (m *Manager) holds(g *grant, now int64) bool {
	return g != nil && now < g.until && g.generation == g.of.generation.Load() && g.epoch == m.epoch.Load()
}

func (m *Manager) unrecorded(s *session) wire.Access {
	return wire.Access{Outcome: wire.AccessRefused, Reason: m.why.auditClosed, Session: s.id}
}

// asked is what one decision is asked about.
type asked struct {
	of     *session
	at     *place
	slot   *slot
	action wire.Action
	class  string
	from   netip.Addr
}

// decided waits for the decision of this network, action and class, taking it if
// nobody else is, and reports whether this request was the one that took it. It
// returns nil when the deadline passes first.
func (m *Manager) decided(ctx context.Context, q asked) (*grant, bool) {
	deadline := time.NewTimer(m.limits.Deadline)
	defer deadline.Stop()
	for range rounds {
		f, mine := m.fly(ctx, q)
		if f == nil {
			return nil, false
		}
		select {
		case <-f.done:
		case <-deadline.C:
			return nil, false
		case <-ctx.Done():
			return nil, false
		}
		// A change that came meanwhile makes this decision one of the past.
		if m.holds(f.grant, m.clock().UnixNano()) {
			return f.grant, mine
		}
	}
	return nil, false
}

// rounds bounds how often a request starts again because its decision was
// overtaken.
const rounds = 8
