package admission

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
)

// track is a lane whose connections are pipes.
type track struct {
	t      *testing.T
	lane   *Lane
	server *http.Server
}

func newTrack(t *testing.T, handler http.HandlerFunc) *track {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	lane, err := NewLane(listener)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lane.Close() })
	k := &track{t: t, lane: lane, server: &http.Server{Handler: handler}} // #nosec G112 -- it listens nowhere
	k.lane.Attend(k.server)
	return k
}

// arriving reads a byte that arrives on a connection; done is closed once it has.
func (k *track) arriving() (conn, far net.Conn, done chan struct{}) {
	k.t.Helper()
	near, far := net.Pipe()
	conn, done = k.lane.Over(near), make(chan struct{})
	k.t.Cleanup(func() { _, _ = conn.Close(), far.Close() })
	go func() {
		defer close(done)
		_, _ = conn.Read(make([]byte, 1))
	}()
	if _, err := far.Write([]byte("x")); err != nil {
		k.t.Fatal(err)
	}
	return conn, far, done
}

// arrive returns a connection that has a turn.
func (k *track) arrive() (conn, far net.Conn) {
	k.t.Helper()
	conn, far, done := k.arriving()
	<-done
	return conn, far
}

// full takes all turns.
func (k *track) full() (all []net.Conn) {
	k.t.Helper()
	for range runtime.GOMAXPROCS(0) {
		conn, _ := k.arrive()
		all = append(all, conn)
	}
	k.free(0)
	return all
}

// asking is a request on a connection.
func (k *track) asking(conn net.Conn, major int) *http.Request {
	r := httptest.NewRequestWithContext(k.server.ConnContext(k.t.Context(), conn), http.MethodGet, "/", nil)
	r.ProtoMajor = major
	return r
}

func (k *track) answered(r *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	k.server.Handler.ServeHTTP(rec, r)
	return rec
}

// free asks that so many turns are free and nobody waits.
func (k *track) free(want int) {
	k.t.Helper()
	k.lane.turns.mu.Lock()
	defer k.lane.turns.mu.Unlock()
	if t := k.lane.turns; t.free != want || !t.none() {
		k.t.Errorf("%d turns are free, not %d; somebody waits: %v", t.free, want, !t.none())
	}
}

// waits returns once somebody waits.
func (k *track) waits() {
	for {
		k.lane.turns.mu.Lock()
		none := k.lane.turns.none()
		k.lane.turns.mu.Unlock()
		if !none {
			return
		}
		runtime.Gosched()
	}
}

func ok(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }

// Bytes that wait for a turn when their connection is closed leave none taken.
func TestAConnectionThatIsClosedKeepsNoTurn(t *testing.T) {
	k := newTrack(t, ok)
	all := k.full()
	late, _, done := k.arriving()
	k.waits()
	for _, conn := range append(all, late) {
		_ = conn.Close()
	}
	<-done
	k.free(len(all))
}

// What a client sends while its request is answered takes no turn: it is not
// read on before that is done, however long it takes.
func TestWhatComesDuringARequestTakesNoTurn(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	k := newTrack(t, func(http.ResponseWriter, *http.Request) {
		close(begun)
		<-release
	})
	conn, far := k.arrive()
	answered := make(chan struct{})
	go func() { defer close(answered); k.answered(k.asking(conn, 1)) }()
	<-begun
	more := make(chan struct{})
	go func() { defer close(more); _, _ = conn.Read(make([]byte, 1)) }() // as the server does in the background
	if _, err := far.Write([]byte("y")); err != nil {
		t.Fatal(err)
	}
	<-more
	k.free(runtime.GOMAXPROCS(0))
	close(release)
	<-answered
}

// Whoever does not take what is sent keeps no turn.
func TestWhoeverIsSentToKeepsNoTurn(t *testing.T) {
	k := newTrack(t, ok)
	conn, far := k.arrive()
	sent := make(chan struct{})
	go func() { defer close(sent); _, _ = conn.Write([]byte("ab")) }()
	if _, err := far.Read(make([]byte, 1)); err != nil { // the second byte is left
		t.Fatal(err)
	}
	k.free(runtime.GOMAXPROCS(0))
	_ = far.Close()
	<-sent
}

// Where no turn ends the lane goes on, and what waited is told to come again.
func TestTurnsThatDoNotEndStopNobody(t *testing.T) {
	k := newTrack(t, ok)
	all := k.full()
	for _, major := range []int{1, 2} {
		conn, _ := k.arrive()
		if rec := k.answered(k.asking(conn, major)); rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Retry-After") == "" {
			t.Errorf("HTTP/%d: %d %v", major, rec.Code, rec.Header())
		}
		_ = conn.Close()
	}
	if k.lane.Shed() != 2 {
		t.Error(k.lane.Shed(), "shed")
	}
	for _, conn := range all {
		_ = conn.Close()
	}
	k.free(len(all))
	conn, _ := k.arrive()
	if rec := k.answered(k.asking(conn, 1)); rec.Code != http.StatusOK {
		t.Error("afterwards:", rec.Code)
	}
}

// A stream that is reset before its turn is not worked on (CVE-2023-44487).
func TestAStreamThatIsGivenUpIsNotServed(t *testing.T) {
	k := newTrack(t, func(http.ResponseWriter, *http.Request) { t.Error("it was served") })
	all := k.full()
	near, _ := net.Pipe()
	r := k.asking(k.lane.Over(near), 2)
	ctx, reset := context.WithCancel(r.Context())
	done := make(chan struct{})
	go func() { defer close(done); k.answered(r.WithContext(ctx)) }()
	k.waits()
	reset()
	<-done
	k.free(0)
	for _, conn := range all {
		_ = conn.Close()
	}
	k.free(len(all))
}

// A lane that is closed lets go who waits, and holds up nobody from then on.
func TestAClosedLaneHoldsUpNobody(t *testing.T) {
	k := newTrack(t, ok)
	k.full()
	_, _, done := k.arriving()
	k.waits()
	if err := k.lane.Close(); err != nil {
		t.Fatal(err)
	}
	<-done
	conn, _ := k.arrive()
	if rec := k.answered(k.asking(conn, 1)); rec.Code != http.StatusOK {
		t.Error("held up, and told to come again:", rec.Code)
	}
}
