package pdp

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
	"github.com/menshen-zt/menshen/pdp/appeal"
	"github.com/menshen-zt/menshen/pdp/facts"
	"github.com/menshen-zt/menshen/pdp/store"
	"github.com/menshen-zt/menshen/pdp/trust"
	"github.com/menshen-zt/menshen/pdp/trust/fusion"
	"github.com/menshen-zt/menshen/pdp/trust/override"
)

// alarming speaks against everybody, for one reason.
type alarming struct {
	nats      float64
	seen      []wire.Observation
	forgotten []string
}

func (*alarming) Registered() map[string]wire.Cluster {
	return map[string]wire.Cluster{"net": wire.ClusterNetwork}
}

func (a *alarming) Assess(_ context.Context, o wire.Observation) []wire.Verdict {
	a.seen = append(a.seen, o)
	return []wire.Verdict{{
		Plugin: "net", Cluster: wire.ClusterNetwork, LLR: a.nats, Confidence: 1, ObservedAt: o.At, TTL: time.Hour,
		Reasons: []wire.Reason{{Code: reason.NetworkNew}}, Version: "7",
	}}
}

func (*alarming) Observe(context.Context, wire.Observation)           {}
func (*alarming) Learn(context.Context, wire.Observation, bool) error { return nil }

func (a *alarming) Forget(_ context.Context, person string) {
	a.forgotten = append(a.forgotten, person)
}

// inferring gives the scene a real fusion in which one plugin says nats.
func inferring(t *testing.T, nats float64) (*scene, *alarming, adminTrust) {
	t.Helper()
	plugin := &alarming{nats: nats}
	s, a := inferringFrom(t, plugin)
	return s, plugin, a
}

func inferringFrom(t *testing.T, plugins trust.Plugins) (*scene, adminTrust) {
	t.Helper()
	s := newScene(t, wire.PortalNormal, wire.ProvenanceTPM)
	weights, err := fusion.DefaultWeights()
	s.must(err)
	one := &situation{names: s.names, shadows: newShadows(), changed: func(string) {}, proven: map[string]proof{}, taught: map[string]touch{}, last: map[string]string{}}
	one.history = trust.NewHistory(s.store, [32]byte{1}, time.Now, slog.New(slog.DiscardHandler))
	one.overrides, err = override.New(t.Context(), override.Config{Store: s.store, Clock: time.Now, Random: rand.Reader})
	s.must(err)
	one.trust, err = trust.New(trust.Config{
		Plugins: plugins, History: one.history, Weights: weights, Standing: s.standing, Clock: time.Now,
		Logger: slog.New(slog.DiscardHandler), Muted: one.muted, Changed: s.pdp.sessions.TrustChanged,
	})
	s.must(err)
	s.engine.facts, err = facts.New(facts.Config{
		Directory: s.names, NotFound: func(err error) bool { return errors.Is(err, store.ErrNotFound) },
		Standing: s.standing, Clock: time.Now, Trust: one.Trust,
	})
	s.must(err)
	s.pdp.situation, s.pdp.history, s.engine.beside = one, s.history, one.compare
	s.pdp.state = &state{}
	one.overrides.Subscribe(s.pdp.overrideChanged)
	return s, adminTrust{s.pdp}
}

const officer = "uid:1000"

func (s *scene) overrides(a adminTrust, o wire.TrustOverride) wire.TrustOverride {
	s.t.Helper()
	o.Reason = "EDR incident 2026-114"
	if o.Agency == "" {
		o.Agency = "moda"
	}
	made, err := a.Override(s.t.Context(), o, officer)
	s.must(err)
	return made
}

// TestALatchActsAtTheNextRequest (requirements 31): about a person, a laptop or
// a session, whatever the score is, after a restart, until it is lifted; and
// each decision comes out of its record again.
func TestALatchActsAtTheNextRequest(t *testing.T) {
	s, _, a := inferring(t, 2)
	s.wants("")
	session := s.pdp.sessions.Sessions(s.person.ID)[0].ID
	for name, o := range map[string]wire.TrustOverride{
		"person": {Person: s.person.ID}, "device": {Device: s.laptop.ID}, "session": {Session: session},
	} {
		o.Kind = wire.OverrideCompromised
		made := s.overrides(a, o)
		s.wants(reason.TrustLatched)
		denied := s.ask().Decision
		if denied == nil || denied.Effect != wire.Deny || denied.Reasons[0].Args["override"] != made.ID {
			t.Fatalf("%s: %+v", name, denied)
		}
		s.replays(denied.ID, "")
		var err error
		s.pdp.situation.overrides, err = override.New(t.Context(), s.pdp.situation.overrides.Config) // a restart
		s.must(err)
		s.pdp.situation.overrides.Subscribe(s.pdp.overrideChanged)
		s.pdp.sessions.PolicyChanged()
		s.wants(reason.TrustLatched)
		if _, err := a.Lift(t.Context(), "nstc", made.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: another agency lifted it: %v", name, err)
		}
		s.wants(reason.TrustLatched)
		_, err = a.Lift(t.Context(), "moda", made.ID)
		s.must(err)
		s.wants("")
		s.replays(denied.ID, "")
	}
}

func TestAnotherAgencysSessionIsNotTouched(t *testing.T) {
	s, _, a := inferring(t, 2)
	s.wants("")
	session := s.pdp.sessions.Sessions(s.person.ID)[0].ID
	for name, o := range map[string]wire.TrustOverride{
		"another agency's": {Agency: "nstc", Session: session}, "nobody's": {Agency: "moda", Session: "ses-00000000000000000000000000"},
	} {
		o.Kind, o.Reason = wire.OverrideCompromised, "EDR incident 2026-114"
		if _, err := a.Override(t.Context(), o, officer); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.wants("")
}

func TestSafeMutesWhatWasNamed(t *testing.T) {
	s, _, a := inferring(t, -4)
	before := s.ask().Decision
	if before.Effect == wire.Allow && !before.Obligations.ReadOnly {
		t.Fatalf("an alarm of 4 nats changes nothing: %+v", before)
	}
	made := s.overrides(a, wire.TrustOverride{
		Kind: wire.OverrideSafe, Person: s.person.ID, Codes: []string{reason.NetworkNew}, Until: time.Now().Add(time.Hour),
	})
	session := s.pdp.sessions.Sessions(s.person.ID)[0].ID
	s.pdp.situation.trust.Forget(session) // as after a restart
	s.ask()
	got := s.pdp.situation.trust.Current(session)
	if got.Muted[0] != made.ID || got.Coverage != 0 {
		t.Errorf("%+v", got)
	}
	for _, term := range got.Terms {
		if term.Name == "net" && (term.State != fusion.Muted || term.Version != "7") {
			t.Errorf("%+v", term)
		}
	}
}

// What a plugin is shown comes from the proxy's own view, the directory and the
// touch, as far as each knows it.
func TestASessionsObservationIsWhole(t *testing.T) {
	s, plugin, _ := inferring(t, 2)
	s.wants("")
	o := plugin.seen[0]
	name := s.pdp.situation.history.Pseudonym
	if o.Person != name("person", s.person.ID) || o.Device != name("device", s.laptop.ID) || o.Portal != name("portal", s.portal.ID) ||
		o.Group != name("group", "moda") || o.IP != "192.0.2.0" || o.Address != "192.0.2.10" || o.Grade != "read" || len(o.Posture) != 4 || o.ZoneKnown {
		t.Errorf("%+v", o)
	}
}

func TestATrialCountsWhatWouldHaveChanged(t *testing.T) {
	s, _, a := inferring(t, 2)
	s.pdp.situation.begin(time.Now(), &trust.Trial{Points: 90})
	s.wants("") // what is tried counts nowhere
	out := a.Shadow()
	if len(out.Counts) != 1 {
		t.Fatalf("%+v", out)
	}
	n := out.Counts[0]
	if n.Portal != s.portal.ID || n.Was != "allow" || n.Would == "allow" || n.Decisions != 1 || n.Candidate != out.Trial {
		t.Errorf("%+v", n)
	}
	for range maxShadowCounts + 5 {
		key := n
		key.Portal = rand.Text()
		s.pdp.situation.shadows.add(key)
	}
	if out := a.Shadow(); len(out.Counts) != maxShadowCounts || out.Lost != 6 {
		t.Errorf("%d counted, %d lost", len(out.Counts), out.Lost)
	}
}

func TestATrialIsKeptOverARestart(t *testing.T) {
	dir := t.TempDir()
	w := startPDP(t, func(c *Config) {
		text, err := os.ReadFile("trust/fusion/weights.yaml")
		if err != nil {
			t.Fatal(err)
		}
		c.Trust.Weights = filepath.Join(dir, "weights.yaml")
		if err := os.WriteFile(c.Trust.Weights, append(text, "# ours\n"...), 0o600); err != nil {
			t.Fatal(err)
		}
	}, nil)
	a := adminTrust{w.PDP}
	for name, c := range map[string]struct {
		in   client.Trial
		want string
	}{
		"nothing":      {client.Trial{}, reason.TrialNothing},
		"no weights":   {client.Trial{Weights: "version: 1"}, reason.WeightsUnread},
		"far too much": {client.Trial{Points: 51}, reason.TrialNothing},
	} {
		_, err := a.Try(t.Context(), c.in)
		var told interface{ Reason() wire.Reason }
		if !errors.As(err, &told) || told.Reason().Code != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	out, err := a.Try(t.Context(), client.Trial{Points: 5})
	if err != nil || out.Trial != "weights in force thresholds +5" {
		t.Fatalf("%+v, %v", out, err)
	}
	w.situation.trust.Try(nil)
	if err := w.situation.loadTrial(t.Context(), w.state.store, slog.New(slog.DiscardHandler)); err != nil || w.situation.trust.Tried().Points != 5 {
		t.Errorf("read again: %v", err)
	}
	if _, err := a.EndTrial(t.Context()); err != nil || w.situation.trust.Tried() != nil {
		t.Error(err)
	}
	if err := w.situation.loadTrial(t.Context(), w.state.store, slog.New(slog.DiscardHandler)); err != nil || w.situation.trust.Tried() != nil {
		t.Error("it is over, and came back")
	}
	for _, kept := range []string{`{"v":1,"weights":"of another version"}`, `{`} {
		_, err := w.state.store.Txn(t.Context(), nil, []store.Op{{Key: trialKey(), Value: []byte(kept)}})
		must(t, err)
		if err := w.situation.loadTrial(t.Context(), w.state.store, slog.New(slog.DiscardHandler)); err != nil || w.situation.trust.Tried() != nil {
			t.Errorf("a trial that cannot be read stops the start: %v", err)
		}
	}
}

func TestWeightsThatCannotBeReadStopTheStart(t *testing.T) {
	for _, c := range []TrustConfig{{Weights: "/nowhere/weights.yaml"}, {Weights: "config.go"}} {
		if _, err := c.weights(); err == nil {
			t.Errorf("%s was taken", c.Weights)
		}
	}
}

func TestAFailedSignInBeforeThereIsAnybodyToTell(*testing.T) {
	new(PDP).failedSignIn(wire.FailedSignIn{Address: netip.Addr{}})
}

// TestAnErasedPersonIsGoneFromHistoryAndPlugins looks at the store as it lies.
func TestAnErasedPersonIsGoneFromHistoryAndPlugins(t *testing.T) {
	s, plugin, _ := inferring(t, 2)
	s.wants("")
	person := s.pdp.situation.history.Pseudonym("person", s.person.ID)
	kept := func() (n int) {
		page, err := s.store.Scan(t.Context(), store.Prefix(trust.ObservationKind, ""), "", 100)
		s.must(err)
		for _, record := range page.Records {
			if strings.Contains(record.Key+string(record.Value), person) {
				n++
			}
		}
		return n
	}
	if kept() != 1 {
		t.Fatalf("%d kept", kept())
	}
	appeals, err := appeal.New(t.Context(), appeal.Config{
		Store: s.store, Clock: time.Now, Random: rand.Reader,
		Decided: func(string) (string, string, string, error) { return "", "", "", store.ErrNotFound },
		NotMe:   func(context.Context, string, string) error { return nil },
	})
	s.must(err)
	_, err = erasing{adminDecisions{s.history, s.names}, appeals, s.pdp.situation.trust}.Erase(t.Context(), s.person.ID)
	s.must(err)
	if kept() != 0 || len(plugin.forgotten) != 1 || plugin.forgotten[0] != person {
		t.Errorf("%d kept, forgotten %q", kept(), plugin.forgotten)
	}
}
