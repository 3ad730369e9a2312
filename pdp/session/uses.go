package session

import (
	"context"
	"encoding/json"
	"net/netip"
	"sync"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

const (
	// writeDeadline bounds one write to the log or the store.
	writeDeadline = 5 * time.Second
	// writers append uses at one time; the log commits them in groups.
	writers = 16
	// strangerEvery and strangersKept bound what a copied cookie can write.
	strangerEvery = 10 * time.Second
	strangersKept = 256
)

// pending is what the owner goroutine still has to record.
type pending struct {
	sync.Mutex
	used      []*grant
	strangers []wire.AuditRecord
}

// used notes that g has uses to record.
func (m *Manager) used(g *grant) {
	m.pending.Lock()
	m.pending.used = append(m.pending.used, g)
	m.pending.Unlock()
}

// fromElsewhere notes that a session's cookie came from a network that the
// session has not proven: a laptop on the move, or a thief.
func (m *Manager) fromElsewhere(s *session, address netip.Addr, now int64) {
	last := s.stranger.Load()
	if now-last < int64(strangerEvery) || !s.stranger.CompareAndSwap(last, now) {
		return
	}
	detail, err := json.Marshal(map[string]string{"event": "unproven-network", "network": wire.NetworkOf(address)})
	if err != nil {
		return
	}
	m.pending.Lock()
	defer m.pending.Unlock()
	if len(m.pending.strangers) < strangersKept {
		m.pending.strangers = append(m.pending.strangers, s.audit(wire.AuditSystem, time.Unix(0, now), "", detail))
	}
}

// closeAudit refuses everything until the log takes a record again.
func (m *Manager) closeAudit() {
	m.closings.Add(1)
	m.recordedUntil.Store(0)
}

// detached returns a context for one write that a client asked for. A client
// that goes away must neither leave it half done nor pass for a broken log.
func detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), writeDeadline)
}

// note records r, whatever the client does meanwhile; if the log does not take
// it, the log is closed for everybody.
func (m *Manager) note(ctx context.Context, r wire.AuditRecord) error {
	ctx, cancel := detached(ctx)
	defer cancel()
	_, err := m.recorder.Append(ctx, r)
	if err != nil {
		m.closeAudit()
	}
	return err
}

// flush records what is pending. Only when the log took it all may uses go on.
func (m *Manager) flush(ctx context.Context, now time.Time) {
	m.pending.Lock()
	used, strangers := m.pending.used, m.pending.strangers
	m.pending.used, m.pending.strangers = nil, nil
	m.pending.Unlock()

	closings, before := m.closings.Load(), m.recordedUntil.Load()
	if before == 0 {
		// Nothing may be pending; only a record that was taken proves the log open.
		probe := wire.AuditRecord{Kind: wire.AuditSystem, At: now.UTC(), Detail: []byte(`{"event":"audit-reopened"}`)}
		if !m.append(ctx, probe) {
			m.pending.Lock()
			m.pending.used = append(m.pending.used, used...)
			m.pending.strangers = strangers
			m.pending.Unlock()
			return
		}
	}
	ok := m.flushUses(ctx, now, used)
	for _, r := range strangers {
		ok = m.append(ctx, r) && ok
	}
	if !ok {
		m.closeAudit()
		return
	}
	// Not if a decision found the log closed meanwhile.
	if m.recordedUntil.CompareAndSwap(before, now.Add(2*m.limits.UsesEvery).UnixNano()) && m.closings.Load() != closings {
		m.recordedUntil.Store(0) // closed already when this began, and once more since
	}
}

// flushUses appends one record a decision; what fails stays pending.
func (m *Manager) flushUses(ctx context.Context, now time.Time, used []*grant) bool {
	var (
		wg     sync.WaitGroup
		places = make(chan struct{}, writers)
		mu     sync.Mutex
		failed []*grant
	)
	for _, g := range used {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			if !m.flushOne(ctx, now, g) {
				mu.Lock()
				failed = append(failed, g)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(failed) == 0 {
		return true
	}
	m.pending.Lock()
	m.pending.used = append(m.pending.used, failed...)
	m.pending.Unlock()
	return false
}

func (m *Manager) flushOne(ctx context.Context, now time.Time, g *grant) bool {
	n := g.uses.Swap(0)
	if n == 0 {
		return true
	}
	detail, err := json.Marshal(map[string]uint64{"uses": n})
	if err == nil && m.append(ctx, g.of.audit(wire.AuditUses, now, g.access.Decision.ID, detail)) {
		if m.told != nil {
			m.told(g.of.id, g.access.Decision.Action, n)
		}
		return true
	}
	g.uses.Add(n)
	return false
}

func (m *Manager) append(ctx context.Context, r wire.AuditRecord) bool {
	ctx, cancel := context.WithTimeout(ctx, writeDeadline)
	defer cancel()
	if _, err := m.recorder.Append(ctx, r); err != nil {
		m.log.Error("audit log takes no records", "kind", string(r.Kind), "error", err)
		return false
	}
	return true
}
