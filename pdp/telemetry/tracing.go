package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/menshen-zt/menshen/internal/wire"
)

// TraceConfig says where traces go.
type TraceConfig struct {
	// Endpoint is an OTLP/HTTP collector, such as http://127.0.0.1:4318; no
	// traces are made where it is empty.
	Endpoint string
	// Share of the traces is kept, 0 to 1. It is judged by the trace's id alone:
	// what a caller says of sampling costs the PDP nothing, and other services
	// with the same share keep the same traces.
	Share   float64
	Version string
	Logger  *slog.Logger
}

// exportWithin bounds one delivery to the collector.
const exportWithin = 5 * time.Second

// Traces makes spans. Without an endpoint every span is a no-op.
type Traces struct {
	tracer   trace.Tracer
	provider *sdktrace.TracerProvider // nil without an endpoint
	carrier  propagation.TraceContext
}

// NewTraces returns a source of spans; Close delivers what is left.
func NewTraces(ctx context.Context, c TraceConfig) (*Traces, error) {
	if c.Endpoint == "" {
		return &Traces{tracer: noop.NewTracerProvider().Tracer("")}, nil
	}
	if c.Logger == nil {
		return nil, errors.New("telemetry: traces need a logger")
	}
	where, err := url.JoinPath(c.Endpoint, "v1", "traces") // OTLP/HTTP's own path
	if err != nil {
		return nil, fmt.Errorf("telemetry: traces: %w", err)
	}
	to, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(where), otlptracehttp.WithTimeout(exportWithin))
	if err != nil {
		return nil, fmt.Errorf("telemetry: traces: %w", err)
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(quiet{to, c.Logger}),
		sdktrace.WithSampler(sdktrace.TraceIDRatioBased(c.Share)),
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", "menshen-pdp"), attribute.String("service.version", c.Version))),
	)
	return &Traces{tracer: provider.Tracer("github.com/menshen-zt/menshen"), provider: provider}, nil
}

// quiet tells the log of deliveries that failed, where the library would write
// to a logger of its own.
type quiet struct {
	sdktrace.SpanExporter
	logger *slog.Logger
}

// ExportSpans implements sdktrace.SpanExporter.
func (q quiet) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if err := q.SpanExporter.ExportSpans(ctx, spans); err != nil {
		q.logger.Warn("traces not delivered", "spans", len(spans), "error", err)
	}
	return nil
}

// Close delivers what is left, until ctx ends.
func (t *Traces) Close(ctx context.Context) error {
	if t.provider == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

// Start begins a span of the PDP's own work.
func (t *Traces) Start(ctx context.Context, name string) (context.Context, trace.Span) {
	return t.tracer.Start(ctx, name)
}

// EndWith ends a span, as failed if there is an error. The error's text stays
// in the log: it may name somebody.
func EndWith(span trace.Span, err error) {
	if err != nil {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}

// Decided puts a decision on its span, without whom it is about.
func Decided(span trace.Span, d *wire.Decision) {
	if !span.IsRecording() {
		return
	}
	attributes := []attribute.KeyValue{
		attribute.String("menshen.effect", d.Effect.String()), attribute.String("menshen.action", string(d.Action)),
		attribute.String("menshen.policy_version", d.PolicyVersion),
	}
	if len(d.Reasons) > 0 {
		attributes = append(attributes, attribute.String("menshen.reason", d.Reasons[0].Code))
	}
	span.SetAttributes(attributes...)
}

// Handler has each request of a port begin a span, or go on with the caller's
// (W3C Trace Context). Only callers that proved themselves reach the work that
// a trace is about; the id is all that is taken over. Without an endpoint next
// is returned as it is.
func (t *Traces) Handler(port string, next http.Handler) http.Handler {
	if t.provider == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := t.carrier.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		ctx, span := t.tracer.Start(ctx, port, trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		if !span.IsRecording() {
			next.ServeHTTP(w, r.WithContext(ctx))
			return
		}
		told := &status{ResponseWriter: w}
		next.ServeHTTP(told, r.WithContext(ctx))
		span.SetAttributes(attribute.Int("http.response.status_code", told.code()))
	})
}

// status remembers the status of an answer.
type status struct {
	http.ResponseWriter
	written int
}

// WriteHeader implements http.ResponseWriter.
func (s *status) WriteHeader(code int) {
	if s.written == 0 {
		s.written = code
	}
	s.ResponseWriter.WriteHeader(code)
}

// Unwrap serves http.ResponseController.
func (s *status) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func (s *status) code() int {
	if s.written == 0 {
		return http.StatusOK
	}
	return s.written
}
