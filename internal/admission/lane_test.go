package admission_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/menshen-zt/menshen/internal/admission"
)

// track is a lane over pipes, whose time can be faked.
type track struct {
	t      *testing.T
	lane   *admission.Lane
	server *http.Server
}

func newTrack(t *testing.T, handler http.HandlerFunc) *track {
	t.Helper()
	k := &track{t: t, lane: admission.NewLane(nil), server: &http.Server{ReadHeaderTimeout: time.Minute, Handler: handler}}
	k.lane.Attend(k.server)
	return k
}

// arrive has a byte arrive on a new connection, which holds a place from then
// on if there is one.
func (k *track) arrive() (conn, far net.Conn) {
	k.t.Helper()
	near, far := net.Pipe()
	conn = k.lane.Over(near)
	read := make(chan error, 1)
	go func() { _, err := conn.Read(make([]byte, 1)); read <- err }()
	if _, err := far.Write([]byte("x")); err != nil {
		k.t.Fatal(err)
	}
	if err := <-read; err != nil {
		k.t.Fatal(err)
	}
	return conn, far
}

// ask answers a request on a connection, as the server does.
func (k *track) ask(conn net.Conn, major int) int {
	r := httptest.NewRequestWithContext(k.server.ConnContext(k.t.Context(), conn), http.MethodGet, "/", nil)
	r.ProtoMajor = major
	rec := httptest.NewRecorder()
	k.server.Handler.ServeHTTP(rec, r)
	return rec.Code
}

// free returns how many places are free.
func (k *track) free() int {
	n := 0
	for {
		conn, _ := k.arrive()
		defer func() { _ = conn.Close() }()
		if k.ask(conn, 1) == http.StatusServiceUnavailable {
			return n
		}
		again, _ := k.arrive() // holds what ask gave back
		defer func() { _ = again.Close() }()
		n++
	}
}

func ok(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }

// Bytes that wait for a place when their connection is closed leave none taken.
func TestAConnectionThatIsClosedKeepsNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTrack(t, ok)
		all := 2 * runtime.GOMAXPROCS(0)
		if n := k.free(); n != all {
			t.Fatalf("%d places are free of %d", n, all)
		}
		var holding []net.Conn
		for range all {
			conn, _ := k.arrive()
			holding = append(holding, conn)
		}
		near, far := net.Pipe()
		late := k.lane.Over(near)
		read := make(chan struct{})
		go func() { _, _ = late.Read(make([]byte, 1)); close(read) }()
		go func() { _, _ = far.Write([]byte("x")) }()
		synctest.Wait() // it waits for a place
		_ = late.Close()
		_ = holding[0].Close()
		<-read
		for _, conn := range holding[1:] {
			_ = conn.Close()
		}
		if n := k.free(); n != all {
			t.Errorf("%d places are free of %d", n, all)
		}
	})
}

// What a client sends while its request is answered takes no place: it is not
// read on before that is done, however long it takes.
func TestWhatComesDuringARequestTakesNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun, release := make(chan struct{}), make(chan struct{})
		slow := false
		k := newTrack(t, func(http.ResponseWriter, *http.Request) {
			if slow {
				begun <- struct{}{}
				<-release
			}
		})
		conn, far := k.arrive()
		slow = true
		done := make(chan struct{})
		go func() { k.ask(conn, 1); close(done) }()
		<-begun
		slow = false
		more := make(chan struct{})
		go func() { _, _ = conn.Read(make([]byte, 1)); close(more) }() // as the server does in the background
		if _, err := far.Write([]byte("y")); err != nil {
			t.Fatal(err)
		}
		<-more
		if n, all := k.free(), 2*runtime.GOMAXPROCS(0); n != all {
			t.Errorf("%d places are free of %d", n, all)
		}
		close(release)
		<-done
	})
}
