package session

import (
	"crypto/sha256"
	"sync"
)

// shards bounds how many requests share one lock; readers share it anyway.
const shards = 64

// table finds sessions by their cookie's digest, which is uniform already.
type table [shards]struct {
	mu       sync.RWMutex
	byCookie map[[sha256.Size]byte]*session
}

func (t *table) get(cookie *[sha256.Size]byte) *session {
	part := &t[cookie[0]%shards]
	part.mu.RLock()
	s := part.byCookie[*cookie]
	part.mu.RUnlock()
	return s
}

func (t *table) put(s *session) {
	part := &t[s.cookie[0]%shards]
	part.mu.Lock()
	defer part.mu.Unlock()
	if part.byCookie == nil {
		part.byCookie = map[[sha256.Size]byte]*session{}
	}
	part.byCookie[s.cookie] = s
}

func (t *table) remove(s *session) {
	part := &t[s.cookie[0]%shards]
	part.mu.Lock()
	defer part.mu.Unlock()
	if part.byCookie[s.cookie] == s {
		delete(part.byCookie, s.cookie)
	}
}

// registry finds sessions by what they stand on.
type registry struct {
	mu       sync.RWMutex
	byID     map[string]*session
	byPerson set
	byDevice set
	byKey    set
	byPortal set
}

type set map[string]map[*session]struct{}

func (x set) add(key string, s *session) {
	if x[key] == nil {
		x[key] = map[*session]struct{}{}
	}
	x[key][s] = struct{}{}
}

func (x set) remove(key string, s *session) {
	delete(x[key], s)
	if len(x[key]) == 0 {
		delete(x, key)
	}
}

func newRegistry() registry {
	return registry{byID: map[string]*session{}, byPerson: set{}, byDevice: set{}, byKey: set{}, byPortal: set{}}
}

// add makes s known and the session of the same id that it replaces unknown.
func (m *Manager) add(s *session) {
	m.known.mu.Lock()
	defer m.known.mu.Unlock()
	if old := m.known.byID[s.id]; old != nil {
		m.forget(old)
	}
	m.known.byID[s.id] = s
	m.known.byPerson.add(s.signIn.PersonID, s)
	m.known.byDevice.add(s.device, s)
	m.known.byKey.add(s.signIn.KeyID, s)
	m.known.byPortal.add(s.portal, s)
	m.live.put(s)
}

// drop makes s unknown and reports whether it was known.
func (m *Manager) drop(s *session) bool {
	m.known.mu.Lock()
	defer m.known.mu.Unlock()
	if m.known.byID[s.id] != s {
		return false
	}
	m.forget(s)
	return true
}

// forget needs known.mu.
func (m *Manager) forget(s *session) {
	s.ended.Store(true)
	m.live.remove(s)
	delete(m.known.byID, s.id)
	m.known.byPerson.remove(s.signIn.PersonID, s)
	m.known.byDevice.remove(s.device, s)
	m.known.byKey.remove(s.signIn.KeyID, s)
	m.known.byPortal.remove(s.portal, s)
}

// all returns the sessions known now.
func (m *Manager) all() []*session {
	m.known.mu.Lock()
	defer m.known.mu.Unlock()
	list := make([]*session, 0, len(m.known.byID))
	for _, s := range m.known.byID {
		list = append(list, s)
	}
	return list
}
