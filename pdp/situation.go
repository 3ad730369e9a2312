package pdp

import (
	"context"
	"log/slog"
	"net/netip"
	"path/filepath"
	"sync"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/directory"
	"github.com/menshen-zt/menshen/pdp/facts"
	"github.com/menshen-zt/menshen/pdp/trust"
	"github.com/menshen-zt/menshen/plugins/host"
)

// situation joins sessions, the trust fusion and the plugins' host.
type situation struct {
	plugins *host.Host
	trust   *trust.Trust
	names   *directory.Directory

	mu      sync.Mutex
	changed func(sessionID string)
	// proven is each live session's last proof of its device: a new one is a
	// sign-in, which is assessed and then taught.
	proven map[string]proof
	// last is the session in which each device was proven last.
	last map[string]string
}

type proof struct {
	at       time.Time
	deviceID string
}

// taughtWithin bounds how old a proof may be to count as a sign-in of now:
// after a restart of the PDP old sessions are assessed and not taught again.
const taughtWithin = 2 * time.Minute

func newSituation(ctx context.Context, c Config, s *state, names *directory.Directory, standing func(string) wire.DeviceStanding, logger *slog.Logger) (*situation, error) {
	weights, err := trust.DefaultWeights()
	if err != nil {
		return nil, err
	}
	one := &situation{names: names, changed: func(string) {}, proven: map[string]proof{}, last: map[string]string{}}
	history := trust.NewHistory(s.store, s.ring.Pseudonym, time.Now, logger)
	var registered []host.Config
	for _, p := range c.Plugins.Run {
		registered = append(registered, host.Config{
			Name: p.Name, Path: filepath.Join(c.Plugins.Folder, p.Name), SHA256: p.SHA256, Cluster: p.Cluster,
			UID: int(p.UID), GID: int(p.UID), Deadline: p.Deadline.Duration,
		})
	}
	if one.plugins, err = host.Start(ctx, registered, host.Options{
		Logger: logger, RuntimeDir: filepath.Join(c.Data, "plugins"), Clock: time.Now,
		Replay: history.Replay, Changed: one.pluginChanged,
	}); err != nil {
		return nil, err
	}
	for _, l := range one.plugins.Limits() {
		logger.Info("plugin sandbox", "plugin", l.Plugin, "enforced", l.Enforced, "not_enforced", l.Missing)
	}
	fusion, err := trust.New(trust.Config{
		Plugins: one.plugins, History: history, Weights: weights, Standing: standing,
		Clock: time.Now, Logger: logger, Refresh: c.Trust.Refresh.Duration, Changed: one.tell,
	})
	if err != nil {
		one.plugins.Close()
		return nil, err
	}
	one.mu.Lock()
	one.trust = fusion
	one.mu.Unlock()
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
	s.mu.Lock()
	fusion := s.trust
	s.mu.Unlock()
	if fusion != nil {
		fusion.PluginChanged(name, up)
	}
}

// Trust returns a session's assessment from the cache. The first look after a
// sign-in asks the plugins, within their deadlines, and then teaches them.
func (s *situation) Trust(ctx context.Context, subject facts.Subject) wire.TrustAssessment {
	now := trust.Situation{
		SessionID: subject.SessionID, PersonID: subject.SignIn.PersonID, DeviceID: subject.Binding.DeviceID,
		Provenance: s.provenance(ctx, subject.Binding.DeviceID), SignIn: subject.SignIn, IP: networkAddress(subject.Network),
	}
	switch fresh, known := s.prove(subject); {
	case fresh:
		return s.trust.SignedIn(ctx, now)
	case known:
		return s.trust.Ensure(ctx, now)
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

// prove notes the proof that a session rests on: fresh is a sign-in of now,
// known a proof that was noted before.
func (s *situation) prove(subject facts.Subject) (fresh, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := subject.Binding.At
	if s.proven[subject.SessionID].at.Equal(at) {
		return false, true
	}
	s.proven[subject.SessionID] = proof{at: at, deviceID: subject.Binding.DeviceID}
	s.last[subject.Binding.DeviceID] = subject.SessionID
	return time.Since(at) < taughtWithin, false
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
