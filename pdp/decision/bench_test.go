package decision_test

import (
	"bufio"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
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
	for b.Loop() {
		answer := bare{header: http.Header{}}
		w.server.ServeHTTP(&answer, r)
		if answer.status != http.StatusOK {
			b.Fatal(answer.status)
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
