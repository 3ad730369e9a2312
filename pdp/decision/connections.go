package decision

import (
	"container/list"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

const (
	// recheckEvery is how soon an open connection feels a change; rechecks of
	// different sessions go on at the same time up to recheckers.
	recheckEvery = 500 * time.Millisecond
	recheckers   = 16
	// maxConnections bounds the connections that are known, maxOfSession those
	// of one session. The oldest gives way, and is cut: most likely it closed
	// long ago, of which proxies tell nothing.
	maxConnections = 1 << 16
	maxOfSession   = 64
	// maxConnectionID bounds a proxy's own name of a connection in bytes.
	maxConnectionID = 128
)

// connections are those that were let through and go on without asking: an
// upgraded one is one request that never ends. Each is asked about again in the
// proxy's stead, and cut when it would not be let through any more.
type connections struct {
	ended *endings

	mu        sync.Mutex
	byName    map[connectionName]*list.Element // of *connection
	byAge     list.List
	ofSession map[string]int
	// nameless counts upgrades that their proxy gave no name to: nobody can cut them.
	nameless atomic.Uint64
}

// connectionName is unique in its portal only.
type connectionName struct{ portal, id string }

type connection struct {
	name    connectionName
	session string
	asked   question
}

func newConnections(epoch string) *connections {
	return &connections{ended: newEndings(epoch), byName: map[connectionName]*list.Element{}, ofSession: map[string]int{}}
}

// opened notes that a connection was let through.
func (c *connections) opened(q *question, session string) {
	if q.connection == "" || !validConnection(q.connection) {
		c.nameless.Add(1)
		return
	}
	open := &connection{name: connectionName{q.Portal.ID, q.connection}, session: session, asked: *q}
	open.asked.Session, open.asked.CookieHash, open.asked.Navigation = session, [32]byte{}, false
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.byName[open.name]; old != nil { // the proxy's own mistake, or its restart
		c.remove(old)
	}
	c.byName[open.name] = c.byAge.PushBack(open)
	c.ofSession[session]++
	if c.ofSession[session] > maxOfSession {
		c.cut(c.oldest(session))
	}
	if c.byAge.Len() > maxConnections {
		c.cut(c.byAge.Front())
	}
}

// oldest needs mu; the session has a connection.
func (c *connections) oldest(session string) *list.Element {
	e := c.byAge.Front()
	for e.Value.(*connection).session != session { //nolint:forcetypeassert // the list holds nothing else
		e = e.Next()
	}
	return e
}

// cut needs mu.
func (c *connections) cut(e *list.Element) {
	c.ended.add(c.remove(e).name)
}

// remove needs mu.
func (c *connections) remove(e *list.Element) *connection {
	open := c.byAge.Remove(e).(*connection) //nolint:forcetypeassert // the list holds nothing else
	delete(c.byName, open.name)
	if c.ofSession[open.session]--; c.ofSession[open.session] <= 0 {
		delete(c.ofSession, open.session)
	}
	return open
}

// all returns the connections that are open now.
func (c *connections) all() []*connection {
	c.mu.Lock()
	defer c.mu.Unlock()
	open := make([]*connection, 0, c.byAge.Len())
	for e := c.byAge.Front(); e != nil; e = e.Next() {
		open = append(open, e.Value.(*connection)) //nolint:forcetypeassert // the list holds nothing else
	}
	return open
}

// end cuts a connection, unless another took its name meanwhile.
func (c *connections) end(open *connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.byName[open.name]; e != nil && e.Value == open {
		c.cut(e)
	}
}

// Connections returns how many connections are asked about again, and how many
// upgrades were let through that no proxy can cut, since the start.
func (s *Server) Connections() (open int, nameless uint64) {
	s.connections.mu.Lock()
	defer s.connections.mu.Unlock()
	return s.connections.byAge.Len(), s.connections.nameless.Load()
}

// Run asks about open connections again until ctx ends.
func (s *Server) Run(ctx context.Context) {
	tick := time.NewTicker(recheckEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			s.connections.ended.close()
			return
		case <-tick.C:
			s.recheckAll(ctx)
		}
	}
}

// recheckAll decides anew what does not hold any more. A decision that holds
// costs a look-up.
func (s *Server) recheckAll(ctx context.Context) {
	work := make(chan *connection)
	var group sync.WaitGroup
	for range recheckers {
		group.Go(func() {
			for open := range work {
				if a := s.recheck(ctx, open.asked); a.Outcome != wire.AccessGranted && ctx.Err() == nil {
					s.connections.end(open)
				}
			}
		})
	}
	for _, open := range s.connections.all() {
		work <- open
	}
	close(work)
	group.Wait()
}

// recheck judges a connection's request by the portal as it is now: its routes
// may have changed, or its secret may not count any more.
func (s *Server) recheck(ctx context.Context, q question) wire.Access {
	a := wire.Access{Outcome: wire.AccessRefused, Reason: s.unreadable}
	portal, err := s.portals.proven(ctx, q.proof)
	if err != nil {
		return a
	}
	if q.routes != portal.routes {
		q.Portal = &portal.Portal
		q.ask(portal.routes.Read(q.method, q.uri, q.upgrade))
	}
	for i := range q.reading.n {
		q.Class = q.reading.classes[i]
		if a = s.Sessions.Recheck(ctx, q.AccessRequest); a.Outcome != wire.AccessGranted {
			break
		}
	}
	return a
}

// validConnection reports whether a proxy's name of a connection can be told
// back to it on a line.
func validConnection(id string) bool {
	for i := range len(id) {
		if id[i] <= ' ' || id[i] >= 0x7f {
			return false
		}
	}
	return len(id) <= maxConnectionID
}
