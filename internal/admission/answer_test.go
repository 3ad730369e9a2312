package admission_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/admission"
)

// stalled is a client that asks and reads nothing.
type stalled struct {
	*httptest.ResponseRecorder
	begun, release chan struct{}
}

func (s stalled) Write(b []byte) (int, error) {
	close(s.begun)
	<-s.release
	return s.ResponseRecorder.Write(b)
}

// Who is slow to take an answer keeps nobody else from getting one.
func TestATurnEndsBeforeItsAnswerIsTaken(t *testing.T) {
	g := admission.NewGate(1, 0, time.Second)
	h := g.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Language", "en")
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write([]byte("page"))
	}))
	ask := func(w http.ResponseWriter) {
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	}
	slow := stalled{httptest.NewRecorder(), make(chan struct{}), make(chan struct{})}
	done := make(chan struct{})
	go func() { ask(slow); close(done) }()
	<-slow.begun
	other := httptest.NewRecorder()
	ask(other)
	close(slow.release)
	<-done
	for _, got := range []*httptest.ResponseRecorder{slow.ResponseRecorder, other} {
		if got.Code != http.StatusTeapot || got.Header().Get("Content-Language") != "en" || got.Body.String() != "page" {
			t.Error(got.Code, got.Header(), got.Body)
		}
	}
}
