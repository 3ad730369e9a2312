package session

// What follows ends decisions, not sessions: the next request of each session
// concerned is decided anew. None of it blocks on anything but memory.

// DeviceChanged says that a device's standing or record changed.
func (m *Manager) DeviceChanged(deviceID string) { m.changed(m.known.byDevice, deviceID) }

// PersonChanged says that a person's record changed.
func (m *Manager) PersonChanged(personID string) { m.changed(m.known.byPerson, personID) }

// KeyChanged says that a security key's record changed.
func (m *Manager) KeyChanged(keyID string) { m.changed(m.known.byKey, keyID) }

// PortalChanged says that a portal's record changed.
func (m *Manager) PortalChanged(portalID string) { m.changed(m.known.byPortal, portalID) }

// TrustChanged says that a session's trust assessment changed.
func (m *Manager) TrustChanged(sessionID string) {
	m.known.mu.Lock()
	defer m.known.mu.Unlock()
	if s := m.known.byID[sessionID]; s != nil {
		s.generation.Add(1)
	}
}

// AgencyChanged says that an agency's record or its signing keys changed: the
// tokens of its portals and of its people carry them.
func (m *Manager) AgencyChanged(agencyID string) {
	m.known.mu.Lock()
	defer m.known.mu.Unlock()
	for _, s := range m.known.byID {
		if s.agency == agencyID || s.concerns(agencyID) {
			s.generation.Add(1)
		}
	}
}

// concerns reports whether a decision of s is, or may become, one about a person
// of an agency.
func (s *session) concerns(agencyID string) (yes bool) {
	for _, p := range s.places {
		p.each(func(_ string, sl *slot) {
			sl.mu.Lock()
			flying := sl.flight != nil
			sl.mu.Unlock()
			g := sl.current.Load()
			yes = yes || flying || (g != nil && g.access.Identity != nil && g.access.Identity.Agency == agencyID)
		})
	}
	return yes
}

// PolicyChanged says that something changed which concerns every session: the
// policy set, the weights.
func (m *Manager) PolicyChanged() { m.epoch.Add(1) }

func (m *Manager) changed(index set, key string) {
	m.known.mu.Lock()
	defer m.known.mu.Unlock()
	for s := range index[key] {
		s.generation.Add(1)
	}
}
