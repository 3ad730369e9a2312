package agent

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/menshen-zt/menshen/agent/client"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// mostAsked bounds the remedies that the PDP may ask for at once; it asks for one.
const mostAsked = 4

// asked is what the PDP asked to have repaired. A command that comes again, over
// another connection too, is told of again and not carried out again.
type asked struct {
	waiting atomic.Int32
	mu      sync.Mutex
	last    wire.RemedyReport
}

// reporter tells the PDP how a remedy ended.
type reporter interface {
	ReportRemedy(ctx context.Context, in wire.RemedyReport) error
}

// obey does what the PDP asks; what takes long runs in all.
func (a *Agent) obey(ctx context.Context, all *sync.WaitGroup, pdp reporter, c wire.Command) {
	switch c.Kind {
	case wire.CommandMeasure:
		a.forget()
		a.trigger("the PDP asks")
	case wire.CommandRemedy:
		if a.asked.waiting.Add(1) > mostAsked {
			a.asked.waiting.Add(-1)
			a.logger.Warn("too many remedies are asked for", "command", c.ID)
			return
		}
		all.Go(func() {
			defer a.asked.waiting.Add(-1)
			a.repair(ctx, pdp, c)
		})
	default:
		a.logger.Warn("the PDP asks for what this agent does not know", "kind", c.Kind)
	}
}

// repair applies what this machine's administrator allows, tells how that ended,
// and measures again.
func (a *Agent) repair(ctx context.Context, pdp reporter, c wire.Command) {
	report := a.carryOut(ctx, c)
	if ctx.Err() != nil {
		return
	}
	err := pdp.ReportRemedy(ctx, report)
	a.trigger("a remedy was asked for")
	wait := firstRetry
	for since := time.Now(); err != nil && ctx.Err() == nil && passing(err) && time.Since(since) < wire.RepairLife; wait = min(2*wait, lastRetry) {
		pause(ctx, wait)
		err = pdp.ReportRemedy(ctx, report)
	}
	if err != nil {
		a.logger.Warn("the PDP was not told how a remedy ended", "command", c.ID, "claim", c.Claim, "error", err)
	}
}

// carryOut applies the remedy of a command once.
func (a *Agent) carryOut(ctx context.Context, c wire.Command) wire.RemedyReport {
	a.asked.mu.Lock()
	defer a.asked.mu.Unlock()
	if a.asked.last.Command == c.ID {
		return a.asked.last
	}
	a.logger.Info("the PDP asks for a remedy", "command", c.ID, "claim", c.Claim)
	why := a.applyRemedy(ctx, c.Claim)
	report := wire.RemedyReport{Command: c.ID, Claim: c.Claim, Done: why == nil, Reason: bounded(why)}
	if ctx.Err() == nil { // what was cut off is tried again
		a.asked.last = report
	}
	return report
}

// bounded is a reason as the PDP takes it.
func bounded(why *wire.Reason) *wire.Reason {
	if why == nil {
		return nil
	}
	out := wire.Reason{Code: why.Code, Args: make(map[string]string, len(why.Args))}
	for name, value := range why.Args {
		value = strings.ToValidUTF8(value, "?")
		if len(value) > wire.MaxRemedyProblem {
			value = value[:wire.MaxRemedyProblem]
			for !utf8.ValidString(value) {
				value = value[:len(value)-1]
			}
		}
		out.Args[name] = value
	}
	return &out
}

// passing tells failures that time may mend from a refusal.
func passing(err error) bool {
	var e *client.Error
	return !errors.As(err, &e) || e.Reason().Code == reason.PDPUnreachable || e.Reason().Code == reason.PDPBusy
}
