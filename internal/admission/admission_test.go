package admission_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/menshen-zt/menshen/internal/admission"
	"github.com/menshen-zt/menshen/internal/reason"
)

func TestGateBoundsTheWorkAndTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := admission.NewGate(2, 1, time.Second)
		first, ok1 := g.Enter(t.Context())
		_, ok2 := g.Enter(t.Context())
		if !ok1 || !ok2 {
			t.Fatal("no turn although there is room")
		}
		third := make(chan bool)
		go func() {
			leave, ok := g.Enter(t.Context())
			third <- ok
			if ok {
				leave()
			}
		}()
		synctest.Wait()
		if _, ok := g.Enter(t.Context()); ok || g.Shed() != 1 {
			t.Error("the queue has no end")
		}
		first()
		if !<-third {
			t.Error("whoever waited got no turn")
		}
	})
}

func TestGateIsNotWaitedForLongerThanPatienceOrTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := admission.NewGate(1, 8, time.Second)
		leave, _ := g.Enter(t.Context())
		defer leave()
		began := time.Now()
		if _, ok := g.Enter(t.Context()); ok || time.Since(began) != time.Second {
			t.Error("waited", time.Since(began))
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, ok := g.Enter(gone); ok || time.Since(began) != time.Second {
			t.Error("a caller who is gone is waited for")
		}
	})
}

func TestGateTellsToComeAgain(t *testing.T) {
	g := admission.NewGate(1, 0, time.Second)
	h := g.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	ask := func() *httptest.ResponseRecorder {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		return rec
	}
	if got := ask(); got.Code != http.StatusNoContent {
		t.Error(got.Code)
	}
	leave, _ := g.Enter(t.Context())
	got := ask()
	seconds, err := strconv.Atoi(got.Header().Get("Retry-After"))
	if got.Code != http.StatusServiceUnavailable || err != nil || seconds < 1 || !strings.Contains(got.Body.String(), reason.Overloaded) {
		t.Error(got.Code, got.Header(), got.Body)
	}
	leave()
	if got := ask(); got.Code != http.StatusNoContent {
		t.Error("the turn was not given back:", got.Code)
	}
}

// hall is a server behind a crowd of few.
type hall struct {
	t       *testing.T
	crowd   *admission.Crowd
	address string
	release chan struct{} // lets /slow end
	begun   chan struct{}
}

func newHall(t *testing.T, most int) *hall {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &hall{t: t, crowd: admission.NewCrowd(l, most), address: l.Addr().String(), release: make(chan struct{}), begun: make(chan struct{}, 64)}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			h.begun <- struct{}{}
			<-h.release
		}
	})}
	h.crowd.Attend(server)
	go func() { _ = server.Serve(h.crowd) }()
	t.Cleanup(func() { _ = server.Close() })
	return h
}

// from dials from an address of loopback, which makes a network of its own.
func (h *hall) from(source string) net.Conn {
	h.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}, Timeout: 5 * time.Second}
	conn, err := d.DialContext(h.t.Context(), "tcp", h.address)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func (h *hall) ask(conn net.Conn, path string) error {
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path); err != nil {
		return err
	}
	if path == "/slow" {
		select {
		case <-h.begun:
			return nil
		case <-time.After(5 * time.Second):
			return errors.New("never begun")
		}
	}
	return answered(conn)
}

func answered(conn net.Conn) error {
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

// parted reports whether the server closed a connection.
func parted(conn net.Conn) bool {
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	_, err := conn.Read(make([]byte, 1))
	return errors.Is(err, io.EOF) || strings.Contains(fmt.Sprint(err), "reset")
}

func TestWhereTheCrowdIsFullTheLongestIdleGivesWay(t *testing.T) {
	h := newHall(t, 3)
	var all []net.Conn
	for range 3 {
		conn := h.from("127.0.0.1")
		if err := h.ask(conn, "/"); err != nil {
			t.Fatal(err)
		}
		all = append(all, conn)
	}
	if err := h.ask(all[0], "/"); err != nil { // now the second is idle the longest
		t.Fatal(err)
	}
	if err := h.ask(h.from("127.0.0.1"), "/"); err != nil {
		t.Fatal("the new one was turned away:", err)
	}
	if !parted(all[1]) || h.crowd.Parted() != 1 {
		t.Error("somebody else gave way")
	}
	for _, n := range []int{0, 2} {
		if err := h.ask(all[n], "/"); err != nil {
			t.Errorf("%d gave way too: %v", n, err)
		}
	}
}

// Headers that never end are nothing under way, so they hold no place.
func TestSlowSendersGiveWay(t *testing.T) {
	h := newHall(t, 4)
	for range 40 {
		if _, err := h.from("127.0.0.1").Write([]byte("GET / HTTP/1.1\r\nX-Slow: ")); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.ask(h.from("127.0.0.1"), "/"); err != nil {
		t.Error("slow senders keep others out:", err)
	}
}

func TestWorkUnderWayIsNotCut(t *testing.T) {
	h := newHall(t, 2)
	one, two := h.from("127.0.0.1"), h.from("127.0.0.1")
	for _, conn := range []net.Conn{one, two} {
		if err := h.ask(conn, "/slow"); err != nil {
			t.Fatal(err)
		}
	}
	if !parted(h.from("127.0.0.1")) {
		t.Error("a third one is let in")
	}
	close(h.release)
	if answered(one) != nil || answered(two) != nil {
		t.Error("work under way was cut")
	}
}

// A network that takes all the places pays for what others need.
func TestTheNetworkThatHoldsMostGivesWay(t *testing.T) {
	h := newHall(t, 5)
	first := h.from("127.0.1.1") // idle the longest, and alone in its network
	if err := h.ask(first, "/"); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		if err := h.ask(h.from("127.0.2.1"), "/"); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 20 {
		if err := h.ask(h.from("127.0.2."+strconv.Itoa(n+1)), "/"); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.ask(h.from("127.0.3.1"), "/"); err != nil {
		t.Error("another network finds no place:", err)
	}
	if err := h.ask(first, "/"); err != nil {
		t.Error("a network with one connection gave way to a flood:", err)
	}
}

// lanes returns a server of a lane, and a function that takes all turns.
func lanes(t *testing.T) (address string, fill func() (free func())) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	lane, err := admission.NewLane(l)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	lane.Attend(server)
	go func() { _ = server.Serve(lane) }()
	t.Cleanup(func() { _ = server.Close() })
	fill = func() func() {
		var all []net.Conn
		for range runtime.GOMAXPROCS(0) { // a request that does not end keeps its turn only while it is read
			near, far := net.Pipe()
			conn := lane.Over(far)
			go func() { _, _ = near.Write([]byte("x")) }()
			if _, err := conn.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			all = append(all, conn)
		}
		return func() {
			for _, c := range all {
				_ = c.Close()
			}
		}
	}
	return l.Addr().String(), fill
}

func status(t *testing.T, address string) (int, http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	return answer.StatusCode, answer.Header
}

func TestALaneShedsWhatItCannotReadInTime(t *testing.T) {
	address, fill := lanes(t)
	for range 3 { // turns end
		if code, _ := status(t, address); code != http.StatusOK {
			t.Fatal(code)
		}
	}
	free := fill()
	if code, header := status(t, address); code != http.StatusServiceUnavailable || header.Get("Retry-After") == "" {
		t.Error("all turns are taken, and it answers", code)
	}
	free()
	for range 20 {
		if code, _ := status(t, address); code != http.StatusOK {
			t.Fatal("no turn ended:", code)
		}
	}
}
