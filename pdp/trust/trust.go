package trust

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/trust/fusion"
)

// Plugins asks the inference plugins (plugins/host).
type Plugins interface {
	// Registered names every plugin that counts, running or not.
	Registered() map[string]wire.Cluster
	// Assess returns a verdict of each; without a usable answer it is marked missing.
	Assess(ctx context.Context, o wire.Observation) []wire.Verdict
	// Observe teaches a successful sign-in.
	Observe(ctx context.Context, o wire.Observation)
}

// Config is what a Trust stands on. Refresh and MaxSessions have defaults.
type Config struct {
	Plugins  Plugins
	History  *History
	Weights  *fusion.Weights
	Standing func(deviceID string) wire.DeviceStanding
	Clock    func() time.Time
	Logger   *slog.Logger
	// Refresh is how often every session is assessed again; 0 means 30 s.
	Refresh time.Duration
	// MaxSessions bounds the cache; 0 means 200,000. A session beyond it has
	// no assessment, which affirms nothing.
	MaxSessions int
	// Changed is called when a session's score or coverage changed; it must
	// not block.
	Changed func(sessionID string)
}

// Situation is one session as it is now.
type Situation struct {
	SessionID  string
	PersonID   string
	DeviceID   string
	Provenance wire.Provenance
	SignIn     wire.SignIn
	// IP is the client's address as the portal's proxy saw it.
	IP string
	// ZoneMinutes is the browser's offset from UTC, east positive.
	ZoneMinutes int
}

// Defaults and bounds.
const (
	defaultRefresh     = 30 * time.Second
	defaultMaxSessions = 200_000
	refreshWorkers     = 8
	// sessionLife is beyond every sign-in's (12 h): who forgot to call Forget.
	sessionLife = 13 * time.Hour
)

// Trust keeps the assessments of all live sessions.
type Trust struct {
	config     Config
	registered map[string]wire.Cluster
	wake       chan struct{}

	newsMu sync.Mutex
	news   news

	mu       sync.RWMutex
	sessions map[string]*session
}

// plugin is one registered plugin as one session knows it.
type plugin struct {
	fusion.Plugin
	// atSignIn is what it said before the last sign-in was taught.
	atSignIn wire.Verdict
}

// session is one session's assessment and what it came from.
type session struct {
	mu        sync.Mutex
	situation Situation
	plugins   map[string]plugin
	rising    fusion.Rising
	current   wire.TrustAssessment
}

// New returns a Trust. Call Run to keep its assessments fresh.
func New(c Config) (*Trust, error) {
	if c.Plugins == nil || c.History == nil || c.Weights == nil || c.Standing == nil || c.Clock == nil || c.Logger == nil {
		return nil, errors.New("trust: Plugins, History, Weights, Standing, Clock and Logger are needed")
	}
	if c.Refresh == 0 {
		c.Refresh = defaultRefresh
	}
	if c.MaxSessions == 0 {
		c.MaxSessions = defaultMaxSessions
	}
	if c.Changed == nil {
		c.Changed = func(string) {}
	}
	return &Trust{
		config: c, registered: c.Plugins.Registered(), wake: make(chan struct{}, 1), news: emptyNews(),
		sessions: map[string]*session{},
	}, nil
}

// SignedIn assesses a session right after its person signed in, then teaches
// the sign-in: an assessment never rests on itself.
func (t *Trust) SignedIn(ctx context.Context, s Situation) wire.TrustAssessment {
	assessment := t.assess(ctx, s, true)
	o := t.observation(s)
	o.Kind = wire.ObservedSignIn
	if err := t.config.History.Add(ctx, o); err != nil {
		// Not taught, so the next sign-in finds less history: that only lowers.
		t.config.Logger.Error("a sign-in could not be kept for the plugins", "session", s.SessionID, "reason", err.Error())
		return assessment
	}
	t.config.Plugins.Observe(ctx, o)
	return assessment
}

// Assess asks the plugins about a session as it is now, keeps and returns its
// assessment. Plugins have been taught the session's own sign-in by now: no
// verdict counts for more than it did before that (see untaught).
func (t *Trust) Assess(ctx context.Context, s Situation) wire.TrustAssessment {
	return t.assess(ctx, s, false)
}

// Joined assesses a session that rests on the same touch of the key as another
// one, which was assessed and taught already: no verdict counts for more than
// the plugin said then.
func (t *Trust) Joined(ctx context.Context, s Situation, first string) wire.TrustAssessment {
	one := t.session(s)
	if one == nil {
		return wire.TrustAssessment{}
	}
	for name, said := range t.atSignIn(first) {
		one.mu.Lock()
		p := one.plugins[name]
		p.atSignIn = said
		one.plugins[name] = p
		one.mu.Unlock()
	}
	return t.assess(ctx, s, false)
}

// atSignIn returns what plugins said at a session's sign-in.
func (t *Trust) atSignIn(sessionID string) map[string]wire.Verdict {
	t.mu.RLock()
	one, ok := t.sessions[sessionID]
	t.mu.RUnlock()
	if !ok {
		return nil
	}
	one.mu.Lock()
	defer one.mu.Unlock()
	said := make(map[string]wire.Verdict, len(one.plugins))
	for name, p := range one.plugins {
		said[name] = p.atSignIn
	}
	return said
}

func (t *Trust) assess(ctx context.Context, s Situation, signIn bool) wire.TrustAssessment {
	one := t.session(s)
	if one == nil {
		return wire.TrustAssessment{}
	}
	// A caller that goes away must not keep a verdict from being heard; the
	// plugins' own deadlines bound the call.
	verdicts := t.config.Plugins.Assess(context.WithoutCancel(ctx), t.observation(s))
	return t.update(one, func(one *session, _ time.Time) {
		one.situation = s
		for _, v := range verdicts {
			t.hear(one, v, signIn)
		}
	})
}

// Ensure returns the cached assessment, or makes the first one: after a start
// of the PDP the sessions are known again and their assessments are not.
func (t *Trust) Ensure(ctx context.Context, s Situation) wire.TrustAssessment {
	if known, ok := t.look(s.SessionID); ok {
		return known
	}
	return t.Assess(ctx, s)
}

// Current returns the cached assessment of a session; the zero assessment,
// which affirms nothing, where there is none.
func (t *Trust) Current(sessionID string) wire.TrustAssessment {
	known, _ := t.look(sessionID)
	return known
}

func (t *Trust) look(sessionID string) (wire.TrustAssessment, bool) {
	t.mu.RLock()
	one, ok := t.sessions[sessionID]
	t.mu.RUnlock()
	if !ok {
		return wire.TrustAssessment{}, false
	}
	one.mu.Lock()
	defer one.mu.Unlock()
	return one.current, !one.current.AssessedAt.IsZero()
}

// Forget drops a session that has ended.
func (t *Trust) Forget(sessionID string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.sessions, sessionID)
}

// session finds or makes the cache's entry.
func (t *Trust) session(s Situation) *session {
	t.mu.Lock()
	defer t.mu.Unlock()
	one, ok := t.sessions[s.SessionID]
	if ok {
		return one
	}
	if s.SessionID == "" || len(t.sessions) >= t.config.MaxSessions {
		t.config.Logger.Warn("a session gets no assessment: the cache is full or it has no id", "sessions", len(t.sessions))
		return nil
	}
	one = &session{situation: s, plugins: make(map[string]plugin, len(t.registered))}
	for name, cluster := range t.registered {
		one.plugins[name] = plugin{Plugin: fusion.Plugin{Name: name, Cluster: cluster}}
	}
	t.sessions[s.SessionID] = one
	return one
}

// hear takes in one plugin's verdict. What is not registered is not heard.
func (t *Trust) hear(one *session, v wire.Verdict, signIn bool) {
	p, registered := one.plugins[v.Plugin]
	if !registered || v.Cluster != p.Cluster {
		return
	}
	if signIn {
		p.atSignIn = v
	} else {
		v = untaught(p.atSignIn, v)
	}
	p.Plugin = p.Hear(t.config.Weights, v)
	one.plugins[v.Plugin] = p
}

// untaught returns a later verdict as far as it does not rest on the session's
// own sign-in: it may fall below what the plugin said at the sign-in and never
// rise above it. What it had no opinion of then speaks against the person or
// not at all. After a restart what was said then is not known, which is no
// opinion.
func untaught(atSignIn, v wire.Verdict) wire.Verdict {
	answered := !atSignIn.Missing && !atSignIn.Abstained && !atSignIn.ObservedAt.IsZero()
	switch {
	case v.Missing || v.Abstained:
	case answered:
		v.LLR = min(v.LLR, atSignIn.LLR)
	case !(v.LLR <= 0): // a NaN too
		v.LLR, v.Abstained = 0, true
	}
	return v
}

// update changes a session and fuses it anew.
func (t *Trust) update(one *session, change func(*session, time.Time)) wire.TrustAssessment {
	now := t.config.Clock().UTC()
	one.mu.Lock()
	before := one.current
	change(one, now)
	one.current = t.fuse(one, now)
	after, id := one.current, one.situation.SessionID
	one.mu.Unlock()
	if !before.AssessedAt.IsZero() && (before.Score != after.Score || before.Coverage != after.Coverage) {
		t.config.Changed(id)
	}
	return after
}

func (t *Trust) fuse(one *session, now time.Time) wire.TrustAssessment {
	w := t.config.Weights
	s := &one.situation
	in := fusion.Inputs{Now: now, SignIn: s.SignIn, Provenance: s.Provenance}
	for _, p := range one.plugins {
		in.Plugins = append(in.Plugins, p.Plugin)
	}
	if s.DeviceID != "" {
		in.Standing = t.config.Standing(s.DeviceID)
	}
	f := fusion.Fuse(w, in)
	nats := one.rising.Publish(w, f.Nats, s.SignIn.At, now)
	if held := nats - f.Nats; held != 0 {
		f.Terms = append(f.Terms, wire.TrustTerm{
			Name: "rising", Nats: held, State: fusion.Held,
			Reasons: []wire.Reason{reason.New(reason.TrustHeld, "seconds", seconds(w.Rising.Hold))},
		})
	}
	return wire.TrustAssessment{
		Nats: nats, Score: fusion.Score(nats), Coverage: f.Coverage, Terms: f.Terms, Weights: w.Name(),
		AssessedAt: now, ValidUntil: t.validUntil(one, now),
	}
}

// validUntil is when the assessment ends unless it is renewed: soon after two
// refreshes, or when a verdict ends.
func (t *Trust) validUntil(one *session, now time.Time) time.Time {
	end := now.Add(2*t.config.Refresh + t.config.Refresh/2)
	for _, p := range one.plugins {
		if v := &p.Verdict; !v.Missing && !v.ObservedAt.IsZero() {
			if e := v.ObservedAt.Add(v.TTL); e.After(now) && e.Before(end) {
				end = e
			}
		}
	}
	return end
}

// observation is what plugins may see of a situation.
func (t *Trust) observation(s Situation) wire.Observation {
	return wire.Observation{
		Person: t.config.History.Pseudonym("person", s.PersonID),
		Device: t.config.History.Pseudonym("device", s.DeviceID),
		At:     t.config.Clock().UTC(), IP: s.IP, ZoneMins: s.ZoneMinutes,
	}
}
