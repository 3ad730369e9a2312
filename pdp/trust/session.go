package trust

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/trust/fusion"
)

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
	// beside is the rising of each candidate.
	beside map[string]*fusion.Rising
	uses   uses

	current atomic.Pointer[assessed]
}

// assessed does not change.
type assessed struct {
	wire.TrustAssessment
	mutedUntil time.Time // zero where nothing is muted
	candidates []Candidate
}

func (t *Trust) find(sessionID string) *session {
	if one, ok := t.sessions.Load(sessionID); ok {
		return one.(*session)
	}
	return nil
}

// session finds or makes the cache's entry.
func (t *Trust) session(s Situation) *session {
	if one := t.find(s.SessionID); one != nil {
		return one
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if one := t.find(s.SessionID); one != nil {
		return one
	}
	if s.SessionID == "" || t.count >= t.config.MaxSessions {
		t.config.Logger.Warn("a session gets no assessment: the cache is full or it has no id", "sessions", t.count)
		return nil
	}
	one := &session{situation: s, plugins: map[string]plugin{}, beside: map[string]*fusion.Rising{}}
	one.register(t.config.Plugins.Registered())
	t.recall(one)
	t.sessions.Store(s.SessionID, one)
	t.count++
	return one
}

// Forget drops a session that has ended.
func (t *Trust) Forget(sessionID string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if one, was := t.sessions.LoadAndDelete(sessionID); was {
		t.count--
		t.remember(one.(*session))
	}
}

func (t *Trust) all() []*session {
	var all []*session
	t.sessions.Range(func(_, one any) bool {
		all = append(all, one.(*session))
		return true
	})
	return all
}

// register follows the host's registrations: a plugin that was taken off
// counts no more, one that was added counts as missing until it answers.
func (s *session) register(registered map[string]wire.Cluster) {
	maps.DeleteFunc(s.plugins, func(name string, p plugin) bool { return registered[name] != p.Cluster })
	for name, cluster := range registered {
		if _, known := s.plugins[name]; !known {
			s.plugins[name] = plugin{Plugin: fusion.Plugin{Name: name, Cluster: cluster}}
		}
	}
}

// fuse makes the session's assessment of now. The caller holds one.mu.
func (t *Trust) fuse(one *session, now time.Time) *assessed {
	w, s := t.config.Weights, &one.situation
	muting := t.config.Muted(*s, now)
	in := fusion.Inputs{Now: now, SignIn: s.SignIn, Provenance: s.Provenance, Muted: muting.Codes}
	if s.DeviceID != "" {
		in.Standing = t.config.Standing(s.DeviceID)
	}
	var shadows []fusion.Plugin
	for _, p := range one.plugins {
		if t.config.Shadow(p.Name) {
			shadows = append(shadows, p.Plugin)
		} else {
			in.Plugins = append(in.Plugins, p.Plugin)
		}
	}
	out := &assessed{mutedUntil: muting.Until}
	out.TrustAssessment = publish(w, in, &one.rising)
	out.AssessedAt, out.ValidUntil, out.Muted = now, t.validUntil(one, now), muting.IDs
	if until := muting.Until; !until.IsZero() && until.Before(out.ValidUntil) {
		out.ValidUntil = until // so does every decision taken with it
	}
	out.candidates = t.candidates(one, in, shadows, &out.TrustAssessment)
	return out
}

// publish fuses, and holds a rise back.
func publish(w *fusion.Weights, in fusion.Inputs, rising *fusion.Rising) wire.TrustAssessment {
	f := fusion.Fuse(w, in)
	nats := rising.Publish(w, f.Nats, in.SignIn.At, in.Now)
	if held := nats - f.Nats; held != 0 {
		f.Terms = append(f.Terms, wire.TrustTerm{
			Name: "rising", Nats: held, State: fusion.Held,
			Reasons: []wire.Reason{reason.New(reason.TrustHeld, "seconds", seconds(w.Rising.Hold))},
		})
	}
	return wire.TrustAssessment{Nats: nats, Score: fusion.Score(nats), Coverage: f.Coverage, Terms: f.Terms, Weights: w.Name()}
}

// validUntil is when the assessment ends unless it is renewed: soon after two
// refreshes, or when a verdict ends that counts.
func (t *Trust) validUntil(one *session, now time.Time) time.Time {
	end := now.Add(2*t.config.Refresh + t.config.Refresh/2)
	for _, p := range one.plugins {
		if v := &p.Verdict; !v.Missing && !v.ObservedAt.IsZero() && !t.config.Shadow(p.Name) {
			if e := v.ObservedAt.Add(v.TTL); e.After(now) && e.Before(end) {
				end = e
			}
		}
	}
	return end
}

func byName(a, b fusion.Plugin) int {
	if a.Name < b.Name {
		return -1
	}
	return 1
}

func sorted(list []fusion.Plugin) []fusion.Plugin {
	slices.SortFunc(list, byName)
	return list
}
