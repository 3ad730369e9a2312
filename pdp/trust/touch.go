package trust

import (
	"maps"
	"time"
)

// touch is one touch of a person's key.
type touch struct {
	person string
	at     int64 // nanoseconds since 1970
}

// said is what plugins said of the sessions of a touch that are over. Without
// it somebody who is doubted would sign out of one portal, come to another by
// the same touch, and be doubted no more, because plugins know that sign-in by
// then.
type said struct {
	signIn  time.Time
	plugins map[string]plugin
}

func (s *Situation) touch() touch { return touch{s.PersonID, s.SignIn.At.UnixNano()} }

// remember keeps what was said of a session that ends; t.mu is held. Where there
// are too many, those of the touches that are over are forgotten first.
func (t *Trust) remember(one *session) {
	one.mu.Lock()
	defer one.mu.Unlock()
	s := &one.situation
	oldest := t.config.Clock().Add(-sessionLife)
	if s.PersonID == "" || s.SignIn.At.Before(oldest) {
		return
	}
	before, known := t.over[s.touch()]
	if !known && len(t.over) >= t.config.MaxSessions {
		maps.DeleteFunc(t.over, func(_ touch, one said) bool { return one.signIn.Before(oldest) })
		if len(t.over) >= t.config.MaxSessions {
			t.config.Logger.Warn("what was said of a session is forgotten: too many are over", "session", s.SessionID)
			return
		}
	}
	all := maps.Clone(one.plugins)
	for name, there := range before.plugins {
		all[name] = all[name].joined(there)
	}
	t.over[s.touch()] = said{s.SignIn.At, all}
}

// recall gives a new session what was said of others of its touch; t.mu is held.
func (t *Trust) recall(one *session) {
	for name, there := range t.over[one.situation.touch()].plugins {
		if p, registered := one.plugins[name]; registered {
			one.plugins[name] = p.joined(there)
		}
	}
}

// joined returns a plugin as another session of the same touch knows it: what
// it said before the touch was taught, and the alarms that stand.
func (p plugin) joined(there plugin) plugin {
	if !there.atSignIn.ObservedAt.IsZero() {
		p.atSignIn = there.atSignIn
	}
	p.Plugin = p.Share(there.Plugin)
	return p
}
