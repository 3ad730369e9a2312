package session

import (
	"context"
	"net/netip"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Inquired is a session that its own portal asked about. Its zero value is no
// session.
type Inquired struct {
	Live bool
	// Why says what an application may tell a person where it is not live.
	Why wire.Reason
	// Inputs are what the decision was taken from, without a salt: whoever
	// records them adds one.
	Inputs   wire.DecisionInputs
	Decision wire.Decision
	// Stands reports whether nothing has changed since; never nil if Live.
	Stands func() bool
}

// Inquire takes a decision about a session by its id, which is no secret: only
// the portal that the session belongs to may ask. From is where the client is
// now, as the portal saw it; without one, where the session's device was
// confirmed last. The decision is not cached, nor recorded here, and does not
// keep the session alive.
func (m *Manager) Inquire(ctx context.Context, portalID, sessionID string, from netip.Addr, action wire.Action, class string) Inquired {
	m.known.mu.Lock()
	s := m.known.byID[sessionID]
	m.known.mu.Unlock()
	now := m.clock().UnixNano()
	switch {
	case s == nil || s.portal != portalID:
		return Inquired{Why: m.why.none}
	case now >= s.ends:
		return Inquired{Why: m.why.tooOld}
	case now-s.lastSeen.Load() >= m.idle:
		return Inquired{Why: m.why.idle}
	}
	at := s.places[0]
	if from.IsValid() {
		if at = s.place(from); at == nil {
			return Inquired{Why: m.why.network}
		}
	}
	if now-at.provenAt >= m.reconfirmAt {
		return Inquired{Why: m.why.reconfirm}
	}
	// The counters are read before the inputs: a change in between is seen.
	generation, epoch := s.generation.Load(), m.epoch.Load()
	ctx, cancel := context.WithTimeout(ctx, m.limits.Deadline)
	defer cancel()
	in, d := m.decide(ctx, asked{of: s, at: at, action: action, class: class, from: from})
	return Inquired{Live: true, Inputs: in, Decision: d, Stands: func() bool {
		return !s.ended.Load() && s.generation.Load() == generation && m.epoch.Load() == epoch
	}}
}
