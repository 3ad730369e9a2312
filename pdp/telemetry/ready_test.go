package telemetry_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/pdp/telemetry"
)

type readyAnswer struct {
	Ready bool                  `json:"ready"`
	Parts []telemetry.PartState `json:"parts"`
}

func ask(t *testing.T, r *telemetry.Readiness, language string) (int, readyAnswer) {
	t.Helper()
	rec := httptest.NewRecorder()
	q := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil)
	q.Header.Set("Accept-Language", language)
	telemetry.Handler(newMetrics(time.Now), r).ServeHTTP(rec, q)
	var a readyAnswer
	if err := json.Unmarshal(rec.Body.Bytes(), &a); err != nil {
		t.Fatal(err, rec.Body)
	}
	return rec.Code, a
}

// lab runs a Readiness of one part under a clock of its own.
func lab(t *testing.T, look func(context.Context) error, f func(r *telemetry.Readiness, stop func())) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := telemetry.NewReadiness(time.Now, telemetry.Part{Name: "store", Look: look, Code: reason.StoreStale})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		stop := func() { cancel(); <-ended }
		defer stop()
		f(r, func() {
			go func() { r.Run(ctx); close(ended) }()
			synctest.Wait()
		})
	})
}

func TestReadyOnlyOnceEverythingWasSeenToWork(t *testing.T) {
	lab(t, func(context.Context) error { return nil }, func(r *telemetry.Readiness, start func()) {
		if code, a := ask(t, r, "en"); code != http.StatusServiceUnavailable || a.Ready || a.Parts[0].Code != reason.ServiceNotRunning || a.Parts[1].OK {
			t.Error("ready before it was looked at:", code, a)
		}
		start()
		if code, a := ask(t, r, "en"); code != http.StatusOK || !a.Ready || len(a.Parts) != 1 || !a.Parts[0].OK || a.Parts[0].WorkedAt.IsZero() {
			t.Error(code, a)
		}
	})
}

func TestNotReadyWhileAPartIsWrong(t *testing.T) {
	var broken atomic.Bool
	look := func(context.Context) error {
		if broken.Load() {
			return errors.New("no space left")
		}
		return nil
	}
	lab(t, look, func(r *telemetry.Readiness, start func()) {
		start()
		broken.Store(true)
		time.Sleep(time.Second)
		code, a := ask(t, r, "zh-TW")
		if code != http.StatusServiceUnavailable || a.Ready || a.Parts[0].Code != reason.StoreStale || a.Parts[0].Detail != "no space left" || !strings.Contains(a.Parts[0].Text, "資料庫") {
			t.Error(code, a)
		}
		broken.Store(false)
		time.Sleep(time.Second)
		if code, a := ask(t, r, "en"); code != http.StatusOK || !a.Ready {
			t.Error("not ready again:", code, a)
		}
	})
}

// A store that hangs says nothing wrong; that it said nothing is wrong.
func TestNotReadyWhenTheStoreIsStale(t *testing.T) {
	var hangs atomic.Bool
	look := func(ctx context.Context) error {
		if hangs.Load() {
			<-ctx.Done()
			time.Sleep(time.Hour) // not even a deadline brings it back
		}
		return nil
	}
	lab(t, look, func(r *telemetry.Readiness, start func()) {
		start()
		hangs.Store(true)
		time.Sleep(1900 * time.Millisecond)
		if _, a := ask(t, r, "en"); !a.Ready {
			t.Error("stale before its time:", a)
		}
		time.Sleep(2 * time.Second)
		if code, a := ask(t, r, "en"); code != http.StatusServiceUnavailable || a.Parts[0].OK {
			t.Error(code, a)
		}
	})
}

func TestNotReadyWhileStopping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := telemetry.NewReadiness(time.Now)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { r.Run(ctx); close(ended) }()
		synctest.Wait()
		if ready, _ := r.State(reason.English); !ready {
			t.Error("not ready while running")
		}
		cancel()
		<-ended
		if ready, parts := r.State(reason.English); ready || parts[0].Code != reason.ServiceNotRunning {
			t.Error("ready after the end:", parts)
		}
	})
}

func TestHealthAndUnknownPaths(t *testing.T) {
	h := telemetry.Handler(newMetrics(time.Now), telemetry.NewReadiness(time.Now))
	for path, want := range map[string]int{"/healthz": http.StatusOK, "/debug/pprof/": http.StatusNotFound, "/": http.StatusNotFound} {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		if rec.Code != want {
			t.Errorf("%s: %d", path, rec.Code)
		}
	}
}

// Whoever follows hears at once, of every change, and that it is over.
func TestFollowersHearOfChanges(t *testing.T) {
	var broken atomic.Bool
	look := func(context.Context) error {
		if broken.Load() {
			return errors.New("no space left")
		}
		return nil
	}
	lab(t, look, func(r *telemetry.Readiness, start func()) {
		var heard []bool
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() {
			r.Follow(ctx, func(ready bool) { heard = append(heard, ready) })
			close(ended)
		}()
		synctest.Wait()
		start()
		time.Sleep(5 * time.Second)
		broken.Store(true)
		time.Sleep(5 * time.Second)
		broken.Store(false)
		time.Sleep(5 * time.Second)
		stop()
		<-ended
		if want := []bool{false, true, false, true, false}; !slices.Equal(heard, want) {
			t.Error(heard)
		}
	})
}
