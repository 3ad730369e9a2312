package telemetry

import (
	"encoding/json"
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
)

// maxScrapes bounds the scrapes under way: each goes through all devices.
const maxScrapes = 2

// answered is the document of /readyz.
type answered struct {
	Ready bool        `json:"ready"`
	Parts []PartState `json:"parts"`
}

// Handler answers operators: /metrics, /healthz and /readyz.
func Handler(m *Metrics, r *Readiness) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("ok\n"))
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, q *http.Request) {
		ready, parts := r.State(reason.Negotiate(q.Header.Get("Accept-Language")))
		w.Header().Set("Cache-Control", "no-store")
		status := http.StatusOK
		if !ready {
			status = http.StatusServiceUnavailable
		}
		body, err := json.Marshal(answered{Ready: ready, Parts: parts})
		if err != nil {
			problem.Write(w, q, http.StatusInternalServerError, reason.New(reason.Internal))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write(body) // the peer is gone; nothing is left to tell it
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, q *http.Request) {
		problem.Write(w, q, http.StatusNotFound, reason.New(reason.NotFound))
	})
	return mux
}
