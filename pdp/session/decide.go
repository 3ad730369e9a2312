package session

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

const (
	// freshFor is how long a touch of the key counts as fresh: a step-up asked
	// for within it would send the person round in circles, so it refuses.
	freshFor = 2 * time.Minute
	// refusalHolds is how long a refusal stands that has no end of its own.
	refusalHolds = time.Second
)

// flight is a decision being taken; grant is set before done closes.
type flight struct {
	done  chan struct{}
	grant *grant
}

// fly joins the flight of this slot or starts one. It returns nil when the
// manager is closing.
func (m *Manager) fly(q asked) (f *flight, mine bool) {
	sl := q.slot
	sl.mu.Lock()
	defer sl.mu.Unlock()
	if sl.flight != nil {
		return sl.flight, false
	}
	if g := sl.current.Load(); m.holds(g, m.clock().UnixNano()) {
		landed := &flight{done: make(chan struct{}), grant: g}
		close(landed.done)
		return landed, false
	}
	f = &flight{done: make(chan struct{})}
	if !m.start(func() {
		f.grant = m.compute(q)
		sl.mu.Lock()
		sl.current.Store(f.grant)
		sl.flight = nil
		sl.mu.Unlock()
		close(f.done)
	}) {
		return nil, false
	}
	sl.flight = f
	return f, true
}

// compute takes a decision, records it and only then lets it take effect.
func (m *Manager) compute(q asked) (g *grant) {
	s := q.of
	// The counters are read before the inputs: a change in between ends the
	// decision at once.
	g = &grant{of: s, generation: s.generation.Load(), epoch: m.epoch.Load()}
	defer func() {
		if p := recover(); p != nil {
			m.log.Error("deciding panicked", "session", s.id, "panic", fmt.Sprint(p))
			m.refuse(g, reason.New(reason.Internal))
		}
	}()
	ctx, cancel := context.WithTimeout(m.base, m.limits.Deadline)
	defer cancel()
	select {
	case m.computing <- struct{}{}:
		defer func() { <-m.computing }()
	case <-ctx.Done():
		m.refuse(g, reason.New(reason.Unavailable))
		return g
	}
	facts, d := m.decide(ctx, q)
	token, expires := m.mint(ctx, s, &facts, &d)
	if err := m.record(ctx, s, q.at, &facts, &d); err != nil {
		m.log.Error("decision not recorded", "session", s.id, "error", err)
		m.refuse(g, m.why.auditClosed)
		return g
	}
	m.settle(g, s, &facts, &d, token, expires)
	return g
}

// decide asks the engine. Whatever goes wrong is a denial with its reason.
func (m *Manager) decide(ctx context.Context, q asked) (wire.Facts, wire.Decision) {
	s, at, action := q.of, q.at, q.action
	subject := Subject{Session: s.id, SignIn: s.signIn, Binding: at.binding, Portal: s.portal,
		Network: wire.NetworkFacts{Network: at.network.String(), Proven: true},
		Request: wire.RequestFacts{Class: q.class}}
	facts, d, err := m.engine.Decide(ctx, subject, action)
	now := m.clock()
	switch {
	case err != nil:
		m.log.Error("deciding failed", "session", s.id, "error", err)
		deny(&d, reason.New(reason.Unavailable))
	case d.Effect == wire.Deny:
	case !d.ValidUntil.After(now):
		deny(&d, reason.New(reason.Unavailable)) // an input ended before it could be used
	case d.Effect == wire.Allow && d.Obligations.ReadOnly && action != wire.ActionRead:
		deny(&d, reason.New(reason.ReadOnlySession))
	case d.Effect == wire.StepUp && now.Sub(s.signIn.At) < freshFor:
		d.Effect = wire.Deny // the key was touched a moment ago: that is not what is missing
	}
	d.Action, d.At = action, now.UTC()
	if d.ID, err = wire.NewID(wire.PrefixDecision, m.random); err != nil {
		panic(err) // no randomness: compute refuses
	}
	return facts, d
}

func deny(d *wire.Decision, why wire.Reason) {
	d.Effect, d.Obligations, d.ValidUntil = wire.Deny, wire.Obligations{}, time.Time{}
	d.Reasons = append([]wire.Reason{why}, d.Reasons...)
}

// mint makes the token of an allow; a failure turns the allow into a denial.
func (m *Manager) mint(ctx context.Context, s *session, facts *wire.Facts, d *wire.Decision) (string, time.Time) {
	if d.Effect != wire.Allow {
		return "", time.Time{}
	}
	token, expires, err := m.tokens.Mint(ctx, s.id, facts, d)
	if err != nil || token == "" || !expires.After(d.At) {
		m.log.Error("access token not minted", "session", s.id, "error", err)
		deny(d, reason.New(reason.Internal))
		return "", time.Time{}
	}
	return token, expires
}

// recorded is the detail of an AuditDecision record.
type recorded struct {
	Decision *wire.Decision `json:"decision"`
	Network  string         `json:"network"`
	AAL      int            `json:"aal"`
	Standing wire.Standing  `json:"standing"`
	Trust    struct {
		Score    int              `json:"score"`
		Coverage float64          `json:"coverage"`
		Weights  string           `json:"weights"`
		Terms    []wire.TrustTerm `json:"terms,omitempty"`
	} `json:"trust"`
}

func (m *Manager) record(ctx context.Context, s *session, at *place, facts *wire.Facts, d *wire.Decision) error {
	r := recorded{Decision: d, Network: at.network.String(), AAL: s.signIn.AAL, Standing: facts.Standing.Standing}
	r.Trust.Score, r.Trust.Coverage = facts.Trust.Score, facts.Trust.Coverage
	r.Trust.Weights, r.Trust.Terms = facts.Trust.Weights, facts.Trust.Terms
	detail, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("session: %w", err)
	}
	return m.note(ctx, s.audit(wire.AuditDecision, d.At, d.ID, detail))
}

func (s *session) audit(kind wire.AuditKind, at time.Time, decision string, detail []byte) wire.AuditRecord {
	return wire.AuditRecord{Kind: kind, At: at.UTC(), Agency: s.agency, Subject: s.signIn.PersonID,
		Device: s.device, Portal: s.portal, Session: s.id, Decision: decision, Detail: detail}
}

// settle gives a recorded decision its effect.
func (m *Manager) settle(g *grant, s *session, facts *wire.Facts, d *wire.Decision, token string, expires time.Time) {
	g.access = wire.Access{Session: s.id, Decision: d, Identity: &wire.Identity{Subject: s.signIn.PersonID,
		Account: facts.Person.Account, Agency: facts.Person.Agency, Name: facts.Person.Name, Device: s.device}}
	g.until = min(unixNano(d.ValidUntil), s.ends)
	switch d.Effect {
	case wire.Allow:
		g.access.Outcome, g.access.Token = wire.AccessGranted, token
		// Decision and token end together, so that one record covers both.
		life := expires.Sub(d.At)
		g.until = min(g.until, expires.Add(-min(15*time.Second, life/4)).UnixNano())
		return
	case wire.StepUp:
		g.access.Outcome, g.access.FreshKey = wire.AccessSignIn, true
		g.access.Reason = reason.New(reason.FreshKeyNeeded)
	default:
		g.access.Outcome = wire.AccessRefused
		g.access.Reason = firstReason(d)
	}
	g.access.Facts = facts
	g.until = max(g.until, d.At.Add(refusalHolds).UnixNano())
}

// refuse makes g a refusal without a decision that was recorded.
func (m *Manager) refuse(g *grant, why wire.Reason) {
	g.access = wire.Access{Outcome: wire.AccessRefused, Reason: why, Session: g.of.id}
	g.until = m.clock().Add(refusalHolds).UnixNano()
}

func firstReason(d *wire.Decision) wire.Reason {
	if len(d.Reasons) == 0 {
		return reason.New(reason.Unknown)
	}
	return d.Reasons[0]
}

func unixNano(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}
