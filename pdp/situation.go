package pdp

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/netip"
	"path/filepath"
	"sync"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/directory"
	"github.com/menshen-zt/menshen/pdp/facts"
	"github.com/menshen-zt/menshen/pdp/telemetry"
	"github.com/menshen-zt/menshen/pdp/trust"
	"github.com/menshen-zt/menshen/pdp/trust/override"
	"github.com/menshen-zt/menshen/plugins/host"
)

// situation joins sessions, the trust fusion and the plugins' host.
type situation struct {
	plugins *host.Host
	trust   *trust.Trust
	names   *directory.Directory
	metrics *telemetry.Metrics

	history   *trust.History
	overrides *override.Keeper
	shadows   *shadows

	mu      sync.Mutex
	changed func(sessionID string)
	// proven is what each live session rested on when it was looked at last,
	// taught the last touch of each person's key that plugins learned.
	proven map[string]proof
	taught map[string]touch
	// last is the session in which each device was proven last.
	last map[string]string
}

type proof struct {
	at, touch time.Time // of the device, of the key
	deviceID  string
}

type touch struct {
	at        time.Time
	sessionID string
}

// taughtWithin bounds how old a touch may be to count as a sign-in of now:
// after a restart of the PDP old sessions are assessed and not taught again.
const taughtWithin = 2 * time.Minute

func newSituation(ctx context.Context, c Config, s *state, o *operations, names *directory.Directory, standing func(string) wire.DeviceStanding, files func(string) []string, logger *slog.Logger) (*situation, error) {
	weights, err := c.Trust.weights()
	if err != nil {
		return nil, err
	}
	if err := recordWeights(ctx, s, weights); err != nil {
		return nil, err
	}
	one := &situation{names: names, metrics: o.metrics, changed: func(string) {}, shadows: newShadows(), proven: map[string]proof{}, taught: map[string]touch{}, last: map[string]string{}}
	history := trust.NewHistory(s.store, s.ring.Pseudonym, time.Now, logger)
	one.history = history
	if one.overrides, err = override.New(ctx, override.Config{Store: s.store, Clock: time.Now, Random: rand.Reader}); err != nil {
		return nil, err
	}
	registered, err := c.Plugins.Registered()
	if err != nil {
		return nil, err
	}
	if one.plugins, err = host.Start(ctx, registered, host.Options{
		Logger: logger, RootLauncher: c.Plugins.Launcher, RuntimeDir: filepath.Join(filepath.Dir(c.Admin.Socket), "plugins"), Clock: time.Now,
		Replay: history.Replay, Changed: one.pluginChanged, Took: o.metrics.VerdictTook,
	}); err != nil {
		return nil, err
	}
	for _, l := range one.plugins.Limits() {
		if len(l.Enforced) == 0 {
			continue // it never came up, which is told by itself
		}
		logger.Info("plugin sandbox", "plugin", l.Plugin, "enforced", l.Enforced, "not_enforced", l.Missing)
	}
	fusion, err := trust.New(trust.Config{
		Plugins: observedPlugins{one.plugins, o}, History: history, Weights: weights, Standing: standing,
		Clock: time.Now, Logger: logger, Refresh: c.Trust.Refresh.Duration, Changed: one.tell,
		Files: files, Muted: one.muted, Shadow: c.Plugins.inShadow,
	})
	if err != nil {
		one.plugins.Close()
		return nil, err
	}
	one.mu.Lock()
	one.trust = fusion
	one.mu.Unlock()
	one.overrides.Subscribe(fusion.OverrideChanged)
	if err := one.loadTrial(ctx, s.store, logger); err != nil {
		one.plugins.Close()
		return nil, err
	}
	return one, nil
}

// Subscribe has f called when a session's assessment changed.
func (s *situation) Subscribe(f func(sessionID string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed = f
}

func (s *situation) tell(sessionID string) {
	s.mu.Lock()
	f := s.changed
	s.mu.Unlock()
	f(sessionID)
}

// pluginChanged may be called before there is a fusion to tell.
func (s *situation) pluginChanged(name string, up bool) {
	s.metrics.Plugin(name, up)
	s.mu.Lock()
	fusion := s.trust
	s.mu.Unlock()
	if fusion != nil {
		fusion.PluginChanged(name, up)
	}
}

// Trust returns a session's assessment from the cache. The first look after a
// sign-in asks the plugins, within their deadlines. A touch of the key is taught
// once, however many sessions and renewals follow from it: otherwise a session
// that is doubted could open another that rests on it.
func (s *situation) Trust(ctx context.Context, subject facts.Subject) wire.TrustAssessment {
	now := trust.Situation{
		SessionID: subject.SessionID, PersonID: subject.SignIn.PersonID, DeviceID: subject.Binding.DeviceID,
		Provenance: s.provenance(ctx, subject.Binding.DeviceID), SignIn: subject.SignIn, IP: networkAddress(subject.Network),
		Agency: subject.Person.Agency, Groups: subject.Person.Groups,
		Portal: subject.PortalID, PortalAgency: subject.Portal.Agency, Grade: subject.Action,
	}
	if subject.Address.IsValid() {
		now.Address = subject.Address.Unmap().WithZone("").String()
	}
	assessment := s.assessed(ctx, subject, now)
	// Looked up each time: a latch holds whatever the cache has or has not.
	assessment.Latched = s.overrides.Latched(subjectOf(&now))
	s.trust.Used(now.SessionID, now.Grade, 1)
	return assessment
}

func (s *situation) assessed(ctx context.Context, subject facts.Subject, now trust.Situation) wire.TrustAssessment {
	switch kind, first := s.arrive(subject); kind {
	case seenBefore:
		return s.trust.Ensure(ctx, now)
	case newTouch:
		return s.trust.SignedIn(ctx, now)
	case sameTouch:
		return s.trust.Joined(ctx, now, first)
	default:
		return s.trust.Assess(ctx, now)
	}
}

// provenance is where a device's keys live; what cannot be told is nothing known.
func (s *situation) provenance(ctx context.Context, deviceID string) wire.Provenance {
	dev, err := s.names.Device(ctx, deviceID)
	if err != nil {
		return ""
	}
	return dev.Provenance
}

// arrival says how a session comes to be looked at.
type arrival int

const (
	renewed    arrival = iota // a proof of the device, on a touch whose verdicts are not known
	seenBefore                // nothing new since the last look
	newTouch                  // a touch of the key that was not taught yet
	sameTouch                 // another session on a touch that was taught
)

// arrive notes the proofs that a session rests on and says what is new; first
// is the session in which a touch was taught.
func (s *situation) arrive(subject facts.Subject) (kind arrival, first string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, person := subject.SessionID, subject.SignIn.PersonID
	before, known := s.proven[id]
	if known && before.at.Equal(subject.Binding.At) && before.touch.Equal(subject.SignIn.At) {
		return seenBefore, ""
	}
	s.proven[id] = proof{at: subject.Binding.At, touch: subject.SignIn.At, deviceID: subject.Binding.DeviceID}
	s.last[subject.Binding.DeviceID] = id
	taught := s.taught[person]
	switch {
	case person == "":
		return renewed, ""
	case taught.at.Equal(subject.SignIn.At) && taught.sessionID != id:
		return sameTouch, taught.sessionID
	case subject.SignIn.At.After(taught.at) && time.Since(subject.SignIn.At) < taughtWithin:
		s.taught[person] = touch{at: subject.SignIn.At, sessionID: id}
		return newTouch, ""
	}
	return renewed, ""
}

// Score is the newest score of the person who signed in last on a device, for
// the agent's status.
func (s *situation) Score(deviceID string) (score int, known bool) {
	s.mu.Lock()
	sessionID, known := s.last[deviceID]
	s.mu.Unlock()
	if !known {
		return 0, false
	}
	current := s.trust.Current(sessionID)
	return current.Score, !current.AssessedAt.IsZero()
}

// Run keeps assessments fresh until ctx ends, and forgets sessions that are
// not among live any more.
func (s *situation) Run(ctx context.Context, live func() map[string]bool) {
	var refreshing sync.WaitGroup
	refreshing.Go(func() { s.trust.Run(ctx) })
	defer refreshing.Wait()
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.forget(live())
		}
	}
}

func (s *situation) forget(live map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, p := range s.proven {
		if live[id] || time.Since(p.at) < taughtWithin {
			continue
		}
		delete(s.proven, id)
		if s.last[p.deviceID] == id {
			delete(s.last, p.deviceID)
		}
		s.trust.Forget(id)
	}
	for person, t := range s.taught {
		if !live[t.sessionID] && time.Since(t.at) >= taughtWithin {
			delete(s.taught, person)
		}
	}
}

// Close ends the plugins.
func (s *situation) Close() { s.plugins.Close() }

// networkAddress is the address that plugins see: the network's, not the
// person's own, because nothing finer decides (requirements 32).
func networkAddress(network string) string {
	prefix, err := netip.ParsePrefix(network)
	if err != nil {
		return ""
	}
	return prefix.Addr().String()
}
