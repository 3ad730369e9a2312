package session

import (
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// EndCause says why a session ended before its time was over.
type EndCause string

// Causes of an end. A session whose time is over ends without one.
const (
	EndSignedOut EndCause = "signed out"                      // by the person
	EndRevoked   EndCause = "revoked"                         // by an administrator
	EndReplaced  EndCause = "another sign-in in this browser" // by the person
	EndTooMany   EndCause = "too many sessions"               // by the limit of one person's
)

// Event is one change in the life of a session: it was renewed by another
// sign-in, or it ended before its time.
type Event struct {
	Session string
	Portal  string
	Agency  string // the portal's
	Person  string
	Device  string
	At      time.Time
	// Cause is empty for a renewal.
	Cause EndCause
	// SignIn is what the session rests on now, Before what a renewed one rested on.
	SignIn wire.SignIn
	Before wire.SignIn
}

// Subscribe has f called after each Event, in the goroutine that caused it and
// with that session held: f must not block and not call the Manager.
func (m *Manager) Subscribe(f func(Event)) {
	m.known.mu.Lock()
	defer m.known.mu.Unlock()
	m.subscribers = append(m.subscribers, f)
}

func (m *Manager) tell(s *session, e Event) {
	e.Session, e.Portal, e.Agency, e.Person, e.Device = s.id, s.portal, s.agency, s.signIn.PersonID, s.device
	e.SignIn, e.At = s.signIn, m.clock().UTC()
	m.known.mu.Lock()
	subscribers := m.subscribers
	m.known.mu.Unlock()
	for _, f := range subscribers {
		f(e)
	}
}

// Session returns one session, and false if it is not known.
func (m *Manager) Session(id string) (Info, bool) {
	m.known.mu.Lock()
	defer m.known.mu.Unlock()
	s := m.known.byID[id]
	if s == nil {
		return Info{}, false
	}
	return s.info(), true
}
