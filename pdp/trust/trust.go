package trust

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/trust/fusion"
)

// Plugins asks the inference plugins (plugins/host).
type Plugins interface {
	// Registered names every plugin that counts, running or not.
	Registered() map[string]wire.Cluster
	// Assess returns a verdict of each; without a usable answer it is marked missing.
	Assess(ctx context.Context, o wire.Observation) []wire.Verdict
	// Observe teaches what happened.
	Observe(ctx context.Context, o wire.Observation)
	// Learn takes an officer's word that it was, or was not, the person.
	Learn(ctx context.Context, o wire.Observation, genuine bool) error
	// Forget drops what is kept of a person, known by its pseudonym.
	Forget(ctx context.Context, person string)
}

// Config is what a Trust stands on. Refresh and MaxSessions have defaults;
// Muted, Shadow, Files and Changed may be missing.
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
	// Muted is what officers found harmless in a situation, at a time.
	Muted func(s Situation, at time.Time) Muting
	// Shadow tells a plugin that is asked, taught and counted in no score.
	Shadow func(plugin string) bool
	// Files are SHA-256 digests of files that a device ran and that no allow
	// list has.
	Files func(deviceID string) []string
}

// Muting is what officers muted. Its zero value mutes nothing.
type Muting struct {
	Codes []string
	// IDs are the overrides', Until is when the first of them ends.
	IDs   []string
	Until time.Time
}

// Situation is one session as it is now.
type Situation struct {
	SessionID  string
	PersonID   string
	DeviceID   string
	Provenance wire.Provenance
	SignIn     wire.SignIn
	// Agency and Groups of the person make its peers.
	Agency string
	Groups []string
	// Portal is the session's, PortalAgency whose it is.
	Portal       string
	PortalAgency string
	// Grade is what was asked for last.
	Grade wire.Action
	// IP is the first address of the client's network as the portal's proxy saw
	// it; Address is the client's own, for assessment alone.
	IP      string
	Address string
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
	config   Config
	wake     chan struct{}
	failures chan wire.FailedSignIn
	trial    atomic.Pointer[Trial]

	newsMu sync.Mutex
	news   news

	// sessions are read without a lock; mu guards how many there are, and what
	// was said of those that are over.
	sessions sync.Map // session id → *session
	mu       sync.Mutex
	count    int
	over     map[touch]said
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
	if c.Muted == nil {
		c.Muted = func(Situation, time.Time) Muting { return Muting{} }
	}
	if c.Shadow == nil {
		c.Shadow = func(string) bool { return false }
	}
	if c.Files == nil {
		c.Files = func(string) []string { return nil }
	}
	return &Trust{
		config: c, wake: make(chan struct{}, 1), news: emptyNews(), failures: make(chan wire.FailedSignIn, maxFailures),
		over: map[touch]said{},
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
// the plugin said then, and an alarm that stands there stands here too.
func (t *Trust) Joined(ctx context.Context, s Situation, first string) wire.TrustAssessment {
	one := t.session(s)
	if one == nil {
		return wire.TrustAssessment{}
	}
	for name, there := range t.known(first) {
		one.mu.Lock()
		if p, registered := one.plugins[name]; registered {
			one.plugins[name] = p.joined(there)
		}
		one.mu.Unlock()
	}
	return t.assess(ctx, s, false)
}

// known returns what is known of plugins in a session.
func (t *Trust) known(sessionID string) map[string]plugin {
	one := t.find(sessionID)
	if one == nil {
		return nil
	}
	one.mu.Lock()
	defer one.mu.Unlock()
	return maps.Clone(one.plugins)
}

func (t *Trust) assess(ctx context.Context, s Situation, signIn bool) wire.TrustAssessment {
	one := t.session(s)
	if one == nil {
		return wire.TrustAssessment{}
	}
	o := t.observation(s)
	o.Requests, o.Over, o.Grade = one.take(o.At, s.Grade)
	registered := t.config.Plugins.Registered()
	// A caller that goes away must not keep a verdict from being heard; the
	// plugins' own deadlines bound the call.
	ctx = context.WithoutCancel(ctx)
	verdicts := t.config.Plugins.Assess(ctx, o)
	assessment := t.update(one, func(one *session, _ time.Time) {
		one.situation = s
		one.register(registered)
		for _, v := range verdicts {
			t.hear(one, v, signIn)
		}
	})
	if o.Requests > 0 && !signIn {
		o.Kind = wire.ObservedActivity
		t.config.Plugins.Observe(ctx, o)
	}
	return assessment
}

// Ensure returns the cached assessment, or makes the first one: after a start
// of the PDP the sessions are known again and their assessments are not. What
// an officer muted is counted again from when the muting ends.
func (t *Trust) Ensure(ctx context.Context, s Situation) wire.TrustAssessment {
	one := t.find(s.SessionID)
	if one == nil {
		return t.Assess(ctx, s)
	}
	known := one.current.Load()
	switch {
	case known == nil:
		return t.Assess(ctx, s)
	case !known.mutedUntil.IsZero() && !t.config.Clock().Before(known.mutedUntil):
		return t.update(one, func(*session, time.Time) {})
	}
	return known.TrustAssessment
}

// Current returns the cached assessment of a session; the zero assessment,
// which affirms nothing, where there is none. It takes no lock.
func (t *Trust) Current(sessionID string) wire.TrustAssessment {
	if one := t.find(sessionID); one != nil {
		if known := one.current.Load(); known != nil {
			return known.TrustAssessment
		}
	}
	return wire.TrustAssessment{}
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
	before := one.current.Load()
	change(one, now)
	after, id := t.fuse(one, now), one.situation.SessionID
	one.current.Store(after)
	one.mu.Unlock()
	if before != nil && (before.Score != after.Score || before.Coverage != after.Coverage) {
		t.config.Changed(id)
	}
	return after.TrustAssessment
}
