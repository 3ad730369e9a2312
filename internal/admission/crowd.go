package admission

import (
	"container/list"
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Crowd is a listener that holds no more than so many connections. Attend has it
// learn which of them do nothing.
type Crowd struct {
	net.Listener
	most int

	mu      sync.Mutex
	members map[*counted]*member
	// idle are the connections without a request under way, by network, the
	// longest idle first.
	idle   map[string]*list.List
	counts map[string]int // all of a network's
	parted atomic.Uint64
}

// member is one connection. It is idle while place is set.
type member struct {
	network string
	busy    int // requests under way
	place   *list.Element
}

// NewCrowd bounds l's connections to most.
func NewCrowd(l net.Listener, most int) *Crowd {
	return &Crowd{Listener: l, most: most, members: map[*counted]*member{}, idle: map[string]*list.List{}, counts: map[string]int{}}
}

// Parted returns how many connections had to give way.
func (c *Crowd) Parted() uint64 { return c.parted.Load() }

// Accept implements net.Listener. Where the crowd is full, one that is idle
// gives way; if none is, the new one does.
func (c *Crowd) Accept() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		told := &counted{Conn: conn, crowd: c}
		leaves := c.join(told)
		if leaves != nil {
			c.parted.Add(1)
			_ = leaves.Close() // it had nothing under way
		}
		if leaves != told {
			return told, nil
		}
	}
}

// join takes conn in, and names who has to leave for it, if anybody; that may be
// conn itself.
func (c *Crowd) join(conn *counted) (leaves *counted) {
	c.mu.Lock()
	defer c.mu.Unlock()
	network := networkOf(conn.RemoteAddr())
	if len(c.members) >= c.most {
		if leaves = c.longestIdle(network); leaves == nil {
			return conn
		}
		c.forget(leaves)
	}
	m := &member{network: network}
	c.members[conn] = m
	c.counts[network]++
	c.rest(conn, m)
	return leaves
}

// longestIdle is the longest idle connection of the network with the most
// connections, of those that have an idle one; a newcomer counts for its own.
func (c *Crowd) longestIdle(newcomer string) *counted {
	var from string
	for network := range c.idle {
		if from == "" || c.weight(network, newcomer) > c.weight(from, newcomer) {
			from = network
		}
	}
	// A network that holds more than all with idle ones pays for itself.
	if from == "" || (c.weight(newcomer, newcomer) > c.weight(from, newcomer) && c.idle[newcomer] == nil) {
		return nil
	}
	front, _ := c.idle[from].Front().Value.(*counted)
	return front
}

func (c *Crowd) weight(network, newcomer string) int {
	if network == newcomer {
		return c.counts[network] + 1
	}
	return c.counts[network]
}

// Attend makes server tell the crowd which connections have a request under
// way. A connection on which none has arrived whole has none, however long its
// sender takes.
func (c *Crowd) Attend(server *http.Server) {
	before := server.ConnContext
	server.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		if before != nil {
			ctx = before(ctx, conn)
		}
		return context.WithValue(ctx, memberKey{}, below[*counted](conn))
	}
	next := server.Handler
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _ := r.Context().Value(memberKey{}).(*counted)
		one := &underWay{crowd: c, conn: conn}
		defer one.end()
		if r.ContentLength == 0 {
			one.begin()
		} else {
			r.Body = &arriving{r.Body, one}
		}
		next.ServeHTTP(w, r)
	})
}

type memberKey struct{}

// turn counts the requests under way on a connection; HTTP/2 has several.
func (c *Crowd) turn(conn *counted, by int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.members[conn]
	if m == nil {
		return
	}
	m.busy += by
	c.stir(m)
	if m.busy == 0 {
		c.rest(conn, m)
	}
}

func (c *Crowd) rest(conn *counted, m *member) {
	waiting := c.idle[m.network]
	if waiting == nil {
		waiting = list.New()
		c.idle[m.network] = waiting
	}
	m.place = waiting.PushBack(conn)
}

func (c *Crowd) stir(m *member) {
	if m.place == nil {
		return
	}
	waiting := c.idle[m.network]
	waiting.Remove(m.place)
	m.place = nil
	if waiting.Len() == 0 {
		delete(c.idle, m.network)
	}
}

func (c *Crowd) forget(conn *counted) {
	m := c.members[conn]
	if m == nil {
		return
	}
	c.stir(m)
	delete(c.members, conn)
	if c.counts[m.network]--; c.counts[m.network] == 0 {
		delete(c.counts, m.network)
	}
}

// counted is a connection that the crowd forgets when it is closed.
type counted struct {
	net.Conn
	crowd *Crowd
}

// Close implements net.Conn.
func (c *counted) Close() error {
	c.crowd.mu.Lock()
	c.crowd.forget(c)
	c.crowd.mu.Unlock()
	return c.Conn.Close()
}

// NetConn returns the connection below.
func (c *counted) NetConn() net.Conn { return c.Conn }

// networkOf is the network that a connection comes from; all that have none
// are one.
func networkOf(a net.Addr) string {
	if a == nil {
		return ""
	}
	at, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return ""
	}
	return wire.NetworkOf(at.Addr())
}
