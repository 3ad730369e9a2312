package admission_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/admission"
)

// Bodies that never end are nothing under way either, so they hold no place;
// once they have arrived, the work on them is not cut.
func TestSlowBodiesGiveWay(t *testing.T) {
	const most = 3
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &hall{t: t, crowd: admission.NewCrowd(l, most), address: l.Addr().String(), release: make(chan struct{}), begun: make(chan struct{}, 64)}
	whole := make(chan struct{}, 64)
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			return
		}
		h.begun <- struct{}{}
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			whole <- struct{}{}
			<-h.release
		}
	})}
	h.crowd.Attend(server)
	go func() { _ = server.Serve(h.crowd) }()
	t.Cleanup(func() { _ = server.Close() })
	post := func(body string) net.Conn {
		conn := h.from("127.0.0.1")
		if _, err := fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n%s", body); err != nil {
			t.Fatal(err)
		}
		select {
		case <-h.begun:
		case <-time.After(5 * time.Second):
			t.Fatal("slow bodies keep others out")
		}
		return conn
	}
	done := post("ab")
	<-whole
	for range 2 * most {
		post("a")
	}
	if err := h.ask(h.from("127.0.0.1"), "/"); err != nil {
		t.Error("slow bodies keep others out:", err)
	}
	close(h.release)
	if err := answered(done); err != nil {
		t.Error("work under way was cut:", err)
	}
}
