package admission

import (
	"context"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/menshen-zt/menshen/internal/problem"
)

// Lane is a listener whose connections are worked on few at a time: from when
// bytes have arrived until more are waited for or a handler begins, a
// connection holds one of the lane's places. TLS handshakes and the reading of
// requests, which nobody has to be known for, so leave the processor to others
// as soon as there are many of them. A request that waited too long for its
// place is told to come again.
type Lane struct {
	net.Listener
	places chan struct{}
	shed   atomic.Uint64
}

// laneWait is how long bytes that have arrived wait for a place. Beyond that
// they are read all the same, and what they ask for is shed: a lane slows down,
// and never stops.
const laneWait = 100 * time.Millisecond

// NewLane returns a Lane with two places for each processor.
func NewLane(l net.Listener) *Lane {
	return &Lane{Listener: l, places: make(chan struct{}, 2*runtime.GOMAXPROCS(0))}
}

// Accept implements net.Listener.
func (l *Lane) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.Over(conn), nil
}

// Shed returns how many requests came too late.
func (l *Lane) Shed() uint64 { return l.shed.Load() }

// Over returns conn as one of the lane's.
func (l *Lane) Over(conn net.Conn) net.Conn { return &inLane{Conn: conn, lane: l} }

// Attend has server give back a connection's place when a handler begins.
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
		late := conn.begin(r.ProtoMajor == 1)
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
	holds bool
	late  bool // since the last request
	// serving says that the connection's one request is being answered: until
	// then the server does not read on, so nothing would give a place back.
	// With HTTP/2 it reads all the time.
	serving bool
	closed  bool
}

// Read implements net.Conn: it holds no place while it waits for bytes, and one
// when it returns some.
func (c *inLane) Read(b []byte) (int, error) {
	c.release()
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.acquire()
	}
	return n, err
}

// Close implements net.Conn.
func (c *inLane) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.release()
	return c.Conn.Close()
}

// NetConn returns the connection below.
func (c *inLane) NetConn() net.Conn { return c.Conn }

func (c *inLane) acquire() {
	if c.isServing() {
		return
	}
	inTime := c.lane.wait()
	c.mu.Lock()
	// HTTP/1.1 has a second reader in the background, and another goroutine
	// may have closed the connection meanwhile.
	keeps := inTime && !c.holds && !c.serving && !c.closed
	c.holds = c.holds || keeps
	c.late = c.late || !inTime
	c.mu.Unlock()
	if inTime && !keeps {
		<-c.lane.places
	}
}

func (c *inLane) isServing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.serving
}

func (l *Lane) wait() bool {
	select {
	case l.places <- struct{}{}:
		return true
	default:
	}
	limit := time.NewTimer(laneWait)
	defer limit.Stop()
	select {
	case l.places <- struct{}{}:
		return true
	case <-limit.C:
		return false
	}
}

// begin gives the place back as a request's handler begins, and reports whether
// the request came too late. Alone says that the connection serves no other.
func (c *inLane) begin(alone bool) (late bool) {
	c.mu.Lock()
	c.serving = alone
	late, c.late = c.late, false
	c.mu.Unlock()
	c.release()
	return late
}

func (c *inLane) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.serving = false
}

func (c *inLane) release() {
	c.mu.Lock()
	held := c.holds
	c.holds = false
	c.mu.Unlock()
	if held {
		<-c.lane.places
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
