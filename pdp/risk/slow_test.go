package risk

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// Tokens that never end keep no place that another agency's source needs.
func TestSlowSendersKeepNoPlace(t *testing.T) {
	w := newWorld(t)
	var sending sync.WaitGroup
	var ends []*io.PipeWriter
	for range mostAtOnce {
		body, end := io.Pipe()
		ends = append(ends, end)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/a/moda/ssf/events", body)
		r.Header.Set("Content-Type", "application/secevent+jwt")
		r.Header.Set("Authorization", "Bearer "+w.siem.secret)
		sending.Go(func() { w.Handler().ServeHTTP(httptest.NewRecorder(), r) })
		if _, err := end.Write([]byte("e")); err != nil { // it is being read
			t.Fatal(err)
		}
	}
	w.says(w.siem, kindRisk, riskBody("USER", "HIGH"), user(w.person.ID))
	for _, end := range ends {
		_ = end.Close()
	}
	sending.Wait()
}
