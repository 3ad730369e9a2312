package session

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// refusalHolds is how long a refusal stands that has no end of its own.
const refusalHolds = time.Second

// flight is a decision being taken; grant is set before done closes.
type flight struct {
	done  chan struct{}
	grant *grant
}

// fly joins the flight of this slot or starts one. It returns nil when the
// manager is closing.
func (m *Manager) fly(ctx context.Context, q asked) (f *flight, mine bool) {
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
		f.grant = m.compute(ctx, q)
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

// compute takes a decision, records it and only then lets it take effect. It
// outlives the request that it began with: of ctx only the values count.
func (m *Manager) compute(ctx context.Context, q asked) (g *grant) {
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
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.limits.Deadline)
	defer cancel()
	defer context.AfterFunc(m.base, cancel)()
	select {
	case m.computing <- struct{}{}:
		defer func() { <-m.computing }()
	case <-ctx.Done():
		m.refuse(g, reason.New(reason.Unavailable))
		return g
	}
	in, d := m.decide(ctx, q)
	token, expires := m.mint(ctx, s, &in, &d)
	sealed, err := m.seal(ctx, s, &in, &d)
	if err != nil {
		m.log.Error("a decision's inputs not sealed", "session", s.id, "error", err)
		m.refuse(g, unsealed(err))
		return g
	}
	if err := m.record(ctx, s, q.at, &in.Facts, &d, sealed); err != nil {
		m.log.Error("decision not recorded", "session", s.id, "error", err)
		m.refuse(g, m.why.auditClosed)
		return g
	}
	if m.observe != nil {
		m.observe(&in.Facts, &d)
	}
	m.settle(g, s, &in.Facts, &d, token, expires)
	return g
}

// decide asks the engine. Whatever goes wrong is a denial with its reason.
func (m *Manager) decide(ctx context.Context, q asked) (wire.DecisionInputs, wire.Decision) {
	s, at, action := q.of, q.at, q.action
	subject := Subject{Session: s.id, SignIn: s.signIn, Binding: at.binding, Portal: s.portal,
		Network: wire.NetworkFacts{Network: at.network.String(), Proven: true},
		Address: q.from, Request: wire.RequestFacts{Class: q.class}}
	in := wire.DecisionInputs{Action: action, TouchedAt: s.signIn.At.UTC()}
	facts, d, err := m.engine.Decide(ctx, subject, action)
	if err != nil {
		m.log.Error("deciding failed", "session", s.id, "error", err)
		in.EngineFailed = true
	} else {
		in.Facts, in.PolicyVersion = facts, d.PolicyVersion
		if d.PolicyVersion == "" && len(d.Reasons) > 0 {
			in.NoPolicy = &d.Reasons[0]
		}
	}
	in.At = m.clock().UTC().Round(0)
	if in.ID, err = wire.NewID(wire.PrefixDecision, m.random); err != nil {
		panic(err) // no randomness: compute refuses
	}
	return in, Conclude(d, &in)
}

// mint makes the token of an allow; a failure turns the allow into a denial.
func (m *Manager) mint(ctx context.Context, s *session, in *wire.DecisionInputs, d *wire.Decision) (string, time.Time) {
	if d.Effect != wire.Allow {
		return "", time.Time{}
	}
	token, expires, err := m.tokens.Mint(ctx, s.id, &in.Facts, d)
	if err != nil || token == "" || !expires.After(d.At) {
		m.log.Error("access token not minted", "session", s.id, "error", err)
		in.TokenFailed = true
		*d = Conclude(*d, in)
		return "", time.Time{}
	}
	return token, expires
}

func (m *Manager) record(ctx context.Context, s *session, at *place, facts *wire.Facts, d *wire.Decision, sealed wire.SealedInputs) error {
	r := wire.DecisionDetail{
		Decision: d, Class: facts.Request.Class, Network: at.network.String(), AAL: s.signIn.AAL, Standing: facts.Standing.Standing,
		EvidenceAt: facts.Standing.Result.IssuedAt, SignInAt: s.signIn.At.UTC(),
		Trust: wire.RecordedTrust{Nats: facts.Trust.Nats, Score: facts.Trust.Score, Coverage: facts.Trust.Coverage,
			Weights: facts.Trust.Weights, Terms: facts.Trust.Terms},
	}
	detail, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("session: %w", err)
	}
	entry := s.audit(wire.AuditDecision, d.At, d.ID, detail)
	entry.Inputs = &sealed
	return m.note(ctx, entry)
}

func (s *session) audit(kind wire.AuditKind, at time.Time, decision string, detail []byte) wire.AuditRecord {
	return wire.AuditRecord{Kind: kind, At: at.UTC(), Agency: s.agency, Subject: s.signIn.PersonID,
		Device: s.device, Portal: s.portal, Session: s.id, Decision: decision, Detail: detail}
}

// settle gives a recorded decision its effect.
func (m *Manager) settle(g *grant, s *session, facts *wire.Facts, d *wire.Decision, token string, expires time.Time) {
	g.access = wire.Access{Session: s.id, Decision: d, Memo: new(wire.Memo), Identity: &wire.Identity{Subject: s.signIn.PersonID,
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
