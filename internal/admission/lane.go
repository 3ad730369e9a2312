package admission

import (
	"context"
	"net"
	"net/http"
	"runtime"
	"sync"
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
		if conn != nil && conn.begin() {
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
	c.release()
	return c.Conn.Close()
}

// NetConn returns the connection below.
func (c *inLane) NetConn() net.Conn { return c.Conn }

func (c *inLane) acquire() {
	inTime := c.lane.wait()
	c.mu.Lock()
	already := c.holds && inTime
	c.holds = c.holds || inTime
	c.late = c.late || !inTime
	c.mu.Unlock()
	if already { // two readers at once: HTTP/1.1 has one in the background
		<-c.lane.places
	}
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
// the request came too late.
func (c *inLane) begin() (late bool) {
	c.release()
	c.mu.Lock()
	defer c.mu.Unlock()
	late, c.late = c.late, false
	return late
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
