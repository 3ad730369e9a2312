package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

const (
	kind    = "session"
	version = 1
	page    = 256
	// batch bounds the writes of one transaction.
	batch = 64
)

// record is a session in the store.
type record struct {
	V       int       `json:"v"`
	Expires time.Time `json:"expires"`
	ID      string    `json:"id"`
	// Cookie is SHA-256 of the cookie's value.
	Cookie   []byte        `json:"cookie"`
	Portal   string        `json:"portal"`
	Agency   string        `json:"agency"`
	SignIn   wire.SignIn   `json:"sign_in"`
	Device   string        `json:"device"`
	Places   []placeRecord `json:"places"`
	Created  time.Time     `json:"created"`
	LastSeen time.Time     `json:"last_seen"`
}

type placeRecord struct {
	Network string             `json:"network"`
	Binding wire.DeviceBinding `json:"binding"`
}

func (s *session) key() string { return store.Key(kind, s.agency, s.id) }

// marshal returns the stored form with seen as the last use.
func (s *session) marshal(seen int64) ([]byte, error) {
	r := record{
		V: version, Expires: time.Unix(0, s.ends).UTC(), ID: s.id, Cookie: s.cookie[:], Portal: s.portal, Agency: s.agency,
		SignIn: s.signIn, Device: s.device, Created: s.created, LastSeen: time.Unix(0, seen).UTC(),
	}
	for _, p := range s.places {
		r.Places = append(r.Places, placeRecord{Network: p.network.String(), Binding: p.binding})
	}
	raw, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	return raw, nil
}

var errRecord = errors.New("session: stored record is not a session")

func unmarshal(raw store.Record) (*session, error) {
	var r record
	if err := json.Unmarshal(raw.Value, &r); err != nil {
		return nil, fmt.Errorf("%w: %w", errRecord, err)
	}
	s := &session{id: r.ID, portal: r.Portal, agency: r.Agency, signIn: r.SignIn, device: r.Device,
		created: r.Created, ends: r.Expires.UnixNano(), revision: raw.Revision, stored: r.LastSeen.UnixNano()}
	if r.V != version || len(r.Cookie) != len(s.cookie) || wire.CheckID(wire.PrefixSession, r.ID) != nil || raw.Key != s.key() {
		return nil, errRecord
	}
	copy(s.cookie[:], r.Cookie)
	for _, p := range r.Places {
		// Older records did not say what was proven where: that proves nothing.
		if p.Binding.DeviceID == "" || p.Binding.DeviceID != r.Device || p.Binding.At.IsZero() {
			continue
		}
		network, err := netip.ParsePrefix(p.Network)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errRecord, err)
		}
		s.places = append(s.places, newPlace(network, p.Binding))
	}
	if len(s.places) == 0 {
		return nil, errRecord
	}
	s.lastSeen.Store(s.stored)
	return s, nil
}

// load reads the sessions that still live and removes the others' records.
func (m *Manager) load(ctx context.Context) error {
	now := m.clock().UnixNano()
	var dead []string
	for after := ""; ; {
		part, err := m.store.Scan(ctx, store.Prefix(kind, ""), after, page)
		if err != nil {
			return fmt.Errorf("session: loading: %w", err)
		}
		for _, raw := range part.Records {
			s, err := unmarshal(raw)
			switch {
			case err != nil:
				// One record that cannot be read costs that person a sign-in.
				m.log.Warn("stored session left out", "key", raw.Key, "error", err)
			case m.over(s, now):
				dead = append(dead, raw.Key)
			default:
				m.add(s)
			}
		}
		if after = part.Next; after == "" {
			break
		}
	}
	return m.erase(ctx, dead)
}

// over reports whether s has ended by time.
func (m *Manager) over(s *session, now int64) bool {
	return now >= s.ends || now-s.lastSeen.Load() >= m.idle
}

// erase deletes records, however often they were written.
func (m *Manager) erase(ctx context.Context, keys []string) error {
	for len(keys) > 0 {
		n := min(batch, len(keys))
		ops := make([]store.Op, 0, n)
		for _, key := range keys[:n] {
			ops = append(ops, store.Op{Key: key, Delete: true})
		}
		if _, err := m.store.Txn(ctx, nil, ops); err != nil {
			return fmt.Errorf("session: deleting: %w", err)
		}
		keys = keys[n:]
	}
	return nil
}

// remove deletes the record of s, whatever the client does meanwhile.
func (m *Manager) remove(ctx context.Context, s *session) error {
	ctx, cancel := detached(ctx)
	defer cancel()
	return m.erase(ctx, []string{s.key()})
}

// sweep ends the sessions whose time is over.
func (m *Manager) sweep(ctx context.Context, now time.Time) {
	for _, s := range m.all() {
		if !m.over(s, now.UnixNano()) {
			continue
		}
		turn := m.turn(s.id)
		turn.Lock()
		if m.drop(s) {
			if err := m.erase(ctx, []string{s.key()}); err != nil {
				m.log.Warn("ended session not deleted", "session", s.id, "error", err) // its own end refuses it
			}
		}
		turn.Unlock()
	}
}

// persist stores the last uses that the store does not know yet.
func (m *Manager) persist(ctx context.Context) {
	var due []*session
	for _, s := range m.all() {
		s.mu.Lock()
		if s.lastSeen.Load() > s.stored {
			due = append(due, s)
		}
		s.mu.Unlock()
	}
	for len(due) > 0 {
		n := min(batch, len(due))
		if err := m.persistBatch(ctx, due[:n]); errors.Is(err, store.ErrConflict) {
			for i := range n {
				_ = m.persistBatch(ctx, due[i:i+1]) // one that conflicts was renewed or ended meanwhile
			}
		} else if err != nil {
			m.log.Warn("last uses not stored", "count", n, "error", err) // a restart ends them earlier, not later
		}
		due = due[n:]
	}
}

func (m *Manager) persistBatch(ctx context.Context, list []*session) error {
	conditions, ops := make([]store.Compare, len(list)), make([]store.Op, len(list))
	seen := make([]int64, len(list))
	for i, s := range list {
		seen[i] = s.lastSeen.Load()
		value, err := s.marshal(seen[i])
		if err != nil {
			return err
		}
		s.mu.Lock()
		conditions[i] = store.Compare{Key: s.key(), Revision: s.revision}
		s.mu.Unlock()
		ops[i] = store.Op{Key: s.key(), Value: value}
	}
	revision, err := m.store.Txn(ctx, conditions, ops)
	if err != nil {
		return err
	}
	for i, s := range list {
		s.mu.Lock()
		s.revision, s.stored = revision, seen[i]
		s.mu.Unlock()
	}
	return nil
}
