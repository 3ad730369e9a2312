package pdp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
	"github.com/menshen-zt/menshen/pdp/telemetry"
)

// OperationsConfig is what operators may look at.
type OperationsConfig struct {
	// Listen is where /metrics, /healthz and /readyz are answered, in clear text
	// and without authentication: a loopback address or a management network.
	// Nothing listens where it is empty.
	Listen string       `yaml:"listen"`
	Traces TracesConfig `yaml:"traces"`
}

// TracesConfig says where traces go.
type TracesConfig struct {
	// Endpoint is an OTLP/HTTP collector's; empty for none.
	Endpoint string `yaml:"endpoint"`
	// Share of the traces is kept, 0 to 1.
	Share float64 `yaml:"share"`
}

func (c *OperationsConfig) check(wrong func(path, problem string, args ...any)) {
	if _, _, err := net.SplitHostPort(c.Listen); c.Listen != "" && err != nil {
		wrong("$.operations.listen", "must be HOST:PORT or :PORT")
	}
	if u, err := url.Parse(c.Traces.Endpoint); c.Traces.Endpoint != "" && (err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https")) {
		wrong("$.operations.traces.endpoint", "must be an address such as http://127.0.0.1:4318")
	}
	if !(c.Traces.Share >= 0 && c.Traces.Share <= 1) { // NaN is neither
		wrong("$.operations.traces.share", "must be from 0 to 1")
	}
}

// operations is how the PDP is looked at.
type operations struct {
	metrics *telemetry.Metrics
	traces  *telemetry.Traces
	ready   *telemetry.Readiness
}

func newOperations(ctx context.Context, c Config, version string, logger *slog.Logger) (*operations, error) {
	registered := map[string]wire.Cluster{}
	for _, p := range c.Plugins.Run {
		registered[p.Name] = p.Cluster
	}
	traces, err := telemetry.NewTraces(ctx, telemetry.TraceConfig{
		Endpoint: c.Operations.Traces.Endpoint, Share: c.Operations.Traces.Share, Version: version, Logger: logger.With("part", "telemetry"),
	})
	if err != nil {
		return nil, fmt.Errorf("operations.traces: %w", err)
	}
	return &operations{metrics: telemetry.NewMetrics(version, registered, time.Now), traces: traces}, nil
}

// close delivers the last traces, within the time that a drain has.
func (o *operations) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), drainLimit)
	defer cancel()
	return o.traces.Close(ctx)
}

// wireOperations comes last: it looks at all the others.
func (p *PDP) wireOperations(context.Context) error {
	p.operations.metrics.Watch(telemetry.Sources{
		Devices: p.appraisal.Counts, Sessions: p.sessions.Live, Durable: p.state.log.Durable, Writable: p.state.log.Writable,
		Policy:      p.policyInForce,
		Connections: p.proxies.Connections, Signals: p.signals.Counts,
		Strangers: map[string]func() uint64{"agents": p.agents.Strangers, "enrolment": p.enrolment.Strangers},
		Shed: map[string]func() uint64{
			"ceremonies": p.people.Shed, "sign-ins": p.proxies.Shed, "pages": p.pageTurns.Shed, "web": p.laneShed("web"), "agents": p.laneShed("agents"),
		},
	})
	p.operations.ready = telemetry.NewReadiness(time.Now,
		telemetry.Part{Name: "store", Look: p.lookAtStore, Code: reason.StoreStale},
		telemetry.Part{Name: "audit", Look: p.lookAtAudit, Code: reason.AuditNotDurable},
		telemetry.Part{Name: "policy", Look: p.lookAtPolicy, Code: reason.PolicyUntrusted},
		telemetry.Part{Name: "keys", Look: p.lookAtKeys, Code: reason.KeysMissing},
	)
	return nil
}

// probeKey is no record's: that it is not found is an answer.
const probeKey = "/v1/probe"

func (p *PDP) lookAtStore(ctx context.Context) error {
	_, err := p.state.store.Get(ctx, probeKey, store.Linearizable)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

var errNotWritable = errors.New("the last record was not taken")

func (p *PDP) lookAtAudit(context.Context) error {
	if !p.state.log.Writable() {
		return errNotWritable
	}
	return nil
}

// lookAtKeys makes none: to look is not to repair.
func (p *PDP) lookAtKeys(ctx context.Context) error {
	agencies, err := p.names.Agencies(ctx)
	if err != nil {
		return err
	}
	for _, a := range agencies {
		if _, err := p.tokens.JWKS(a.ID); err != nil {
			return fmt.Errorf("%s: %w", a.ID, err)
		}
	}
	return nil
}

// operationsHandler answers operators.
func (p *PDP) operationsHandler() http.Handler {
	return telemetry.Handler(p.operations.metrics, p.operations.ready)
}
