package telemetry_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/telemetry"
)

// receiver is an OTLP/HTTP collector.
type receiver struct {
	mu    sync.Mutex
	spans []*trace.Span
}

func (c *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		body, _ = gzip.NewReader(r.Body)
	}
	raw, _ := io.ReadAll(body)
	var in collector.ExportTraceServiceRequest
	if r.URL.Path != "/v1/traces" || proto.Unmarshal(raw, &in) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, of := range in.ResourceSpans {
		for _, scope := range of.ScopeSpans {
			c.spans = append(c.spans, scope.Spans...)
		}
	}
}

func (c *receiver) span(name string) *trace.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if s.Name == name {
			return s
		}
	}
	return nil
}

func newTraces(t *testing.T, to http.Handler, share float64) (*telemetry.Traces, *bytes.Buffer) {
	t.Helper()
	server := httptest.NewServer(to)
	t.Cleanup(server.Close)
	var log bytes.Buffer
	traces, err := telemetry.NewTraces(t.Context(), telemetry.TraceConfig{Endpoint: server.URL, Share: share, Version: "test",
		Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return traces, &log
}

const (
	callersTrace  = "4bf92f3577b34da6a3ce929d0e0e4736"
	callersParent = "00f067aa0ba902b7"
)

// request goes through a traced port; what it does has a span of its own.
func request(t *testing.T, traces *telemetry.Traces, traceparent string) {
	t.Helper()
	h := traces.Handler("proxies", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, span := traces.Start(r.Context(), "decide")
		telemetry.Decided(span, &wire.Decision{ID: "dec-secret", Effect: wire.Deny, Action: wire.ActionRead, PolicyVersion: "v1",
			Reasons: []wire.Reason{reason.New(reason.AuditClosed, "person", "wang.xm")}})
		telemetry.EndWith(span, errors.New("wang.xm is unknown"))
		w.WriteHeader(http.StatusForbidden)
	}))
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/forward-auth?name=wang.xm", nil)
	if traceparent != "" {
		r.Header.Set("Traceparent", traceparent)
	}
	h.ServeHTTP(httptest.NewRecorder(), r)
}

func TestATraceGoesOnFromTheCaller(t *testing.T) {
	c := new(receiver)
	traces, log := newTraces(t, c, 1)
	request(t, traces, "00-"+callersTrace+"-"+callersParent+"-00")
	if err := traces.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	port, decide := c.span("proxies"), c.span("decide")
	if port == nil || decide == nil {
		t.Fatal("spans are missing", c.spans, log)
	}
	if hex.EncodeToString(port.TraceId) != callersTrace || hex.EncodeToString(port.ParentSpanId) != callersParent || !bytes.Equal(decide.ParentSpanId, port.SpanId) {
		t.Error("the spans do not hang together:", port, decide)
	}
	if all := port.String() + decide.String(); strings.Contains(all, "wang.xm") || strings.Contains(all, "dec-secret") {
		t.Error("a span names somebody:", all)
	}
	for _, want := range []string{"403", "deny", reason.AuditClosed, "v1"} {
		if all := port.String() + decide.String(); !strings.Contains(all, want) {
			t.Errorf("no %s in %s", want, all)
		}
	}
	if decide.Status.GetCode() != trace.Status_STATUS_CODE_ERROR {
		t.Error("a failure is not marked")
	}
}

// A caller who asks for sampling gets no more than the PDP's own share.
func TestSamplingIsThePDPsOwn(t *testing.T) {
	c := new(receiver)
	traces, _ := newTraces(t, c, 0)
	request(t, traces, "00-"+callersTrace+"-"+callersParent+"-01")
	request(t, traces, "")
	if err := traces.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(c.spans) != 0 {
		t.Error("sampled all the same:", c.spans)
	}
}

func TestWithoutACollectorNothingIsTraced(t *testing.T) {
	traces, err := telemetry.NewTraces(t.Context(), telemetry.TraceConfig{})
	if err != nil {
		t.Fatal(err)
	}
	next := http.NewServeMux()
	if traces.Handler("proxies", next) != http.Handler(next) {
		t.Error("a handler is wrapped for nothing")
	}
	ctx, span := traces.Start(t.Context(), "decide")
	telemetry.EndWith(span, nil)
	if span.IsRecording() || ctx == nil || traces.Close(t.Context()) != nil {
		t.Error("a span is recorded")
	}
}

// A collector that does not answer holds up neither requests nor, beyond the
// time given, the end.
func TestACollectorThatHangs(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	traces, _ := newTraces(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }), 1)
	for range 5000 { // more than the queue holds
		request(t, traces, "")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := traces.Close(ctx); err == nil {
		t.Error("delivered to nobody")
	}
}
