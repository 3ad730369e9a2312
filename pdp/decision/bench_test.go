package decision_test

import (
	"bufio"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"github.com/menshen-zt/menshen/internal/wire"
)

// BenchmarkForwardAuth is a known session's question over one connection of
// loopback that is kept alive, beside a bare handler that is asked the very
// same. cpu-ns/op is the CPU time of both ends; \`make bench\` tells the
// server's alone, under load.
func BenchmarkForwardAuth(b *testing.B) {
	w := newWorld(b)
	question := strings.Join([]string{"GET /forward-auth HTTP/1.1", "Host: localhost", "Menshen-Portal-Secret: " + secret,
		"X-Original-Method: GET", "X-Original-URI: /records?page=2", "X-Real-IP: 192.0.2.10", "Cookie: " + w.enter(),
		"Accept: text/html", "Accept-Language: zh-TW", "Sec-Fetch-Mode: navigate", "", ""}, "\r\n")
	for name, handler := range map[string]http.Handler{
		"floor": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }),
		"known": w.server,
	} {
		b.Run(name, func(b *testing.B) {
			server := httptest.NewServer(handler)
			defer server.Close()
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			check(b, err)
			defer conn.Close()
			answers := bufio.NewReader(conn)
			before := cpu(b)
			for b.Loop() {
				_, err := conn.Write([]byte(question))
				check(b, err)
				answer, err := http.ReadResponse(answers, nil)
				check(b, err)
				check(b, answer.Body.Close())
				if answer.StatusCode != http.StatusOK {
					b.Fatal(answer.Status)
				}
			}
			b.ReportMetric((cpu(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

func cpu(b *testing.B) float64 {
	b.Helper()
	var u syscall.Rusage
	check(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return float64(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkHandler leaves the network out: what this package itself costs.
func BenchmarkHandler(b *testing.B) {
	w := newWorld(b)
	r := httptest.NewRequest(http.MethodGet, "/forward-auth", nil)
	for name, value := range map[string]string{"Menshen-Portal-Secret": secret, "X-Original-Method": "GET", "X-Original-URI": "/records?page=2",
		"X-Real-IP": "192.0.2.10", "Cookie": w.enter(), "Accept": "text/html", "Sec-Fetch-Mode": "cors"} {
		r.Header.Set(name, value)
	}
	b.ReportAllocs()
	answer := bare{header: http.Header{}}
	for b.Loop() {
		w.server.ServeHTTP(&answer, r)
		if answer.status != http.StatusOK {
			b.Fatal(answer.status)
		}
	}
}

// TestAKnownSessionCostsNoAllocation holds what this package and the sessions
// add to net/http for a known session, whatever presents it.
func TestAKnownSessionCostsNoAllocation(t *testing.T) {
	w := newWorld(t)
	w.set(func() {
		w.routes = []wire.Route{{Path: "/payroll", Class: "payroll"}, {Path: "/admin", Action: wire.ActionAdmin}}
	})
	cookie := w.enter()
	for target, class := range map[string]string{"/records?page=2": "", "/payroll/2026": "payroll", "/Payroll": "two readings"} {
		r := httptest.NewRequest(http.MethodGet, "/forward-auth", nil)
		for name, value := range map[string]string{"Menshen-Portal-Secret": secret, "X-Original-Method": "GET", "X-Original-URI": target,
			"X-Real-IP": "192.0.2.10", "Cookie": cookie, "Accept": "text/html", "Sec-Fetch-Mode": "cors"} {
			r.Header.Set(name, value)
		}
		answer := bare{header: http.Header{}}
		once := func() {
			answer.status = 0
			w.server.ServeHTTP(&answer, r)
			if answer.status != http.StatusOK || len(answer.header["Menshen-Token"]) != 1 || answer.header["Menshen-Token"][0] == "" {
				t.Fatal(answer.status, answer.header)
			}
		}
		once()
		once() // the first use is noted
		if n := testing.AllocsPerRun(500, once); n != 0 {
			t.Errorf("%s (class %s): %v allocations a request", target, class, n)
		}
	}
}

// bare is a response that goes nowhere.
type bare struct {
	header http.Header
	status int
}

func (b *bare) Header() http.Header         { return b.header }
func (b *bare) Write(p []byte) (int, error) { return len(p), nil }
func (b *bare) WriteHeader(status int)      { b.status = status }
