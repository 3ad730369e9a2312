package pdp

import (
	"context"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/audit"
	"github.com/menshen-zt/menshen/pdp/authzen"
	"github.com/menshen-zt/menshen/pdp/session"
	"github.com/menshen-zt/menshen/pdp/telemetry"
	"github.com/menshen-zt/menshen/pdp/trust"
)

// What is measured is measured where parts are joined, so that none of them
// knows that anybody looks.

// observedSessions measures the answers to proxies.
type observedSessions struct {
	*session.Manager
	metrics *telemetry.Metrics
}

// Authorize implements decision.Sessions.
func (o observedSessions) Authorize(ctx context.Context, q wire.AccessRequest) wire.Access {
	began := time.Now()
	a := o.Manager.Authorize(ctx, q)
	o.metrics.Access(a.Outcome, !a.Waited, time.Since(began))
	return a
}

// observedEngine measures decisions.
type observedEngine struct {
	session.Engine
	*operations
}

// Decide implements session.Engine.
func (o observedEngine) Decide(ctx context.Context, s session.Subject, action wire.Action) (wire.Facts, wire.Decision, error) {
	began := time.Now()
	ctx, span := o.traces.Start(ctx, "decide")
	facts, d, err := o.Engine.Decide(ctx, s, action)
	telemetry.Decided(span, &d)
	telemetry.EndWith(span, err)
	o.metrics.Decision(&d, time.Since(began))
	return facts, d, err
}

// observedJudge counts the answers to applications.
type observedJudge struct {
	authzen.Judge
	metrics *telemetry.Metrics
}

// Hear implements authzen.Judge.
func (o observedJudge) Hear(portal *wire.Portal, at time.Time) authzen.Hearing {
	return observedHearing{o.Judge.Hear(portal, at), o.metrics}
}

type observedHearing struct {
	authzen.Hearing
	metrics *telemetry.Metrics
}

// Open implements authzen.Hearing.
func (o observedHearing) Open(q *wire.Question) authzen.Inquiry {
	return observedInquiry{o.Hearing.Open(q), q, o.metrics}
}

type observedInquiry struct {
	authzen.Inquiry
	question *wire.Question
	metrics  *telemetry.Metrics
}

// Answer implements authzen.Inquiry.
func (o observedInquiry) Answer(ctx context.Context, subject, action, resource string) wire.Answer {
	a := o.Inquiry.Answer(ctx, subject, action, resource)
	o.metrics.Evaluation(o.question, &a)
	return a
}

// observedTokens traces the signing of access tokens.
type observedTokens struct {
	session.Tokens
	*operations
}

// Mint implements session.Tokens.
func (o observedTokens) Mint(ctx context.Context, sessionID string, f *wire.Facts, d *wire.Decision) (string, time.Time, error) {
	ctx, span := o.traces.Start(ctx, "mint token")
	token, expires, err := o.Tokens.Mint(ctx, sessionID, f, d)
	telemetry.EndWith(span, err)
	return token, expires, err
}

// observedLog measures how long records wait to be durable.
type observedLog struct {
	*audit.Log
	*operations
}

// Append records r, as audit.Log does.
func (o observedLog) Append(ctx context.Context, r wire.AuditRecord) (uint64, error) {
	ctx, span := o.traces.Start(ctx, "append audit record")
	done := o.metrics.Appending()
	sequence, err := o.Log.Append(ctx, r)
	done(err)
	telemetry.EndWith(span, err)
	return sequence, err
}

// observedPlugins measures the plugins' answers.
type observedPlugins struct {
	trust.Plugins
	*operations
}

// Assess implements trust.Plugins.
func (o observedPlugins) Assess(ctx context.Context, of wire.Observation) []wire.Verdict {
	began := time.Now()
	ctx, span := o.traces.Start(ctx, "ask plugins")
	verdicts := o.Plugins.Assess(ctx, of)
	telemetry.EndWith(span, nil)
	o.metrics.Verdicts(verdicts, time.Since(began))
	return verdicts
}
