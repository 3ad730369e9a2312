package admission

import (
	"container/list"
	"context"
	"errors"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/menshen-zt/menshen/internal/problem"
)

// Lane is a listener whose connections are worked on few at a time: from when
// bytes have arrived until more are waited for, something is sent or a handler
// begins, a connection has one of the lane's turns. TLS handshakes and the
// reading of requests, which nobody has to be known for, so leave the processor
// to others as soon as there are many of them. A request that waited too long
// for its turn is told to come again.
type Lane struct {
	net.Listener
	turns *turns
	shed  atomic.Uint64
}

// laneWait is how long what has arrived waits for its turn. What waited longer
// is read all the same, and what it asks for is shed.
const laneWait = 100 * time.Millisecond

// NewLane returns a Lane over l with a turn for each processor.
func NewLane(l net.Listener) (*Lane, error) {
	turns, err := newTurns(runtime.GOMAXPROCS(0))
	if err != nil {
		return nil, err
	}
	return &Lane{Listener: l, turns: turns}, nil
}

// Accept implements net.Listener.
func (l *Lane) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.turns.pass() // the others wait in the system, where they cost nothing
	return l.Over(conn), nil
}

// Close implements net.Listener. What is left is worked on all at once.
func (l *Lane) Close() error { return errors.Join(l.turns.close(), l.Listener.Close()) }

// Shed returns how many requests came too late.
func (l *Lane) Shed() uint64 { return l.shed.Load() }

// Over returns conn as one of the lane's.
func (l *Lane) Over(conn net.Conn) net.Conn { return &inLane{Conn: conn, lane: l} }

// Attend has server end a connection's turn when a handler begins.
func (l *Lane) Attend(server *http.Server) {
	before := server.ConnContext
	server.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		if before != nil {
			ctx = before(ctx, conn)
		}
		return context.WithValue(ctx, laneKey{}, below[*inLane](conn))
	}
	next := server.Handler
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _ := r.Context().Value(laneKey{}).(*inLane)
		if conn == nil {
			next.ServeHTTP(w, r)
			return
		}
		late, ok := conn.begin(r)
		if !ok {
			return // it was given up
		}
		defer conn.end()
		if late {
			l.shed.Add(1)
			problem.Write(w, r, http.StatusServiceUnavailable, Busy(w.Header()))
			return
		}
		next.ServeHTTP(w, r)
	})
}

type laneKey struct{}

// inLane is a connection of a lane.
type inLane struct {
	net.Conn
	lane *Lane

	mu    sync.Mutex
	turn  bool // has one
	late  bool // since the last request
	known bool // has asked for something before
	// serving says that the connection's one request is being answered: until
	// then the server does not read on, so nothing would end a turn. With HTTP/2
	// it reads all the time.
	serving bool
	closed  bool
}

// Read implements net.Conn: it has no turn while it waits for bytes, and one
// when it returns some.
func (c *inLane) Read(b []byte) (int, error) {
	c.leave()
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.enter()
	}
	return n, err
}

// Write implements net.Conn: whoever does not take what is sent keeps no turn.
func (c *inLane) Write(b []byte) (int, error) {
	c.leave()
	return c.Conn.Write(b)
}

// Close implements net.Conn.
func (c *inLane) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.leave()
	return c.Conn.Close()
}

// NetConn returns the connection below.
func (c *inLane) NetConn() net.Conn { return c.Conn }

func (c *inLane) enter() {
	among, waits := c.among()
	if !waits {
		return
	}
	late, _ := c.lane.turns.take(among, nil)
	c.mu.Lock()
	// HTTP/1.1 has a second reader in the background, and another goroutine
	// may have closed the connection meanwhile.
	keeps := !c.turn && !c.serving && !c.closed
	c.turn = c.turn || keeps
	c.late = c.late || late
	c.mu.Unlock()
	if !keeps {
		c.lane.turns.end()
	}
}

// among tells with whom the connection waits, if it has to.
func (c *inLane) among() (among *list.List, waits bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known {
		return &c.lane.turns.regulars, !c.serving
	}
	return &c.lane.turns.newcomers, !c.serving
}

// begin ends the turn as a request's handler begins, and reports whether the
// request came too late. Of the requests of HTTP/2, of which many arrive at
// once, each waits for a turn to begin; it reports false if one is given up
// before.
func (c *inLane) begin(r *http.Request) (late, ok bool) {
	alone := r.ProtoMajor == 1
	c.mu.Lock()
	c.serving, c.known = alone, true
	late, c.late = c.late, false
	c.mu.Unlock()
	if alone {
		c.leave()
		return late, true
	}
	waited, ok := c.lane.turns.take(&c.lane.turns.regulars, r.Context().Done())
	if ok {
		c.lane.turns.end()
	}
	return late || waited, ok
}

func (c *inLane) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.serving = false
}

func (c *inLane) leave() {
	c.mu.Lock()
	had := c.turn
	c.turn = false
	c.mu.Unlock()
	if had {
		c.lane.turns.end()
	}
}

// below finds a layer of a connection, under TLS or other layers.
func below[T net.Conn](conn net.Conn) (found T) {
	for conn != nil {
		if layer, ok := conn.(T); ok {
			return layer
		}
		over, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			return found
		}
		conn = over.NetConn()
	}
	return found
}
