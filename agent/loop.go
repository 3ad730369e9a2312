package agent

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/menshen-zt/menshen/agent/client"
	"github.com/menshen-zt/menshen/agent/state"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Pace of attestations.
const (
	// coalesce is how long causes that come together are joined.
	coalesce = 20 * time.Millisecond
	// burst and perAttestation bound the rate, whatever the causes.
	burst          = 8
	perAttestation = 2 * time.Second
	// Bounds of what the PDP may ask for, and of the pause after a failure.
	leastInterval = time.Second
	mostInterval  = time.Hour
	firstRetry    = time.Second
	lastRetry     = time.Minute
)

// trigger asks for an attestation now. Causes that wait already are joined.
func (a *Agent) trigger(why string) {
	select {
	case a.wake <- why:
	default:
	}
}

// attestations attests at once and then whenever it is due, until ctx ends or
// the TPM fails.
func (a *Agent) attestations(ctx context.Context, d *device) error {
	due := time.NewTimer(0)
	defer due.Stop()
	retry := firstRetry
	why := "start"
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-due.C:
		case why = <-a.wake:
		}
		pause(ctx, max(coalesce, a.pace.wait(time.Now())))
		select { // joined with this one
		case <-a.wake:
		default:
		}
		if ctx.Err() != nil {
			return nil
		}
		answer, err := a.round(ctx, d, why)
		why = "interval"
		var next time.Duration
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			retry = firstRetry
			next = min(max(time.Duration(answer.NextInSeconds)*time.Second, leastInterval), mostInterval)
		case tpmFailed(err):
			return err
		default:
			next = retry/2 + rand.N(retry/2) // #nosec G404 -- spreads load, protects nothing
			retry = min(2*retry, lastRetry)
		}
		a.mu.Lock()
		a.view.nextAt = a.clock().Add(next)
		a.mu.Unlock()
		due.Reset(next)
	}
}

// round is one attestation, with everybody told how it ended.
func (a *Agent) round(ctx context.Context, d *device, why string) (wire.AttestAnswer, error) {
	a.mu.Lock()
	a.view.begun++
	a.mu.Unlock()
	began := time.Now()
	answer, err := a.attest(ctx, d)
	took := time.Since(began)
	if err != nil {
		a.logger.Warn("attestation failed", "cause", why, "error", err)
	} else {
		a.logger.Info("attested", "cause", why, "accepted", answer.Accepted, "findings", len(answer.Result.Findings), "took", took)
		a.keep(answer)
		a.sendSoftware(ctx, d, answer.Wants)
	}
	a.problem(partAttestation, err, "")
	a.noteClock(d)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.view.ended++
	close(a.view.done)
	a.view.done = make(chan struct{})
	return answer, err
}

// tpmFailed tells an error of the TPM, which opening it anew may mend, from one
// of the network, which only waiting does. A busy TPM is waited for as well.
func tpmFailed(err error) bool {
	var network *client.Error
	switch {
	case errors.As(err, &network), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return false
	}
	code := ReasonOf(err).Code
	return code != reason.TPMBusy
}

// keep takes the PDP's answer over, and onto the disk. A full disk does not
// keep the agent from working.
func (a *Agent) keep(answer wire.AttestAnswer) {
	last := &state.Last{Accepted: answer.Accepted, Result: answer.Result, Trust: answer.Trust, At: a.clock().UTC()}
	a.mu.Lock()
	a.view.answer = last
	next := *a.view.state
	next.Last = last
	takeOver(&next, answer.Device)
	a.view.state = &next
	a.mu.Unlock()
	var held error
	if answer.Device.Status == wire.DeviceQuarantined {
		held = fault(nil, reason.DeviceQuarantined)
	}
	a.problem(partDevice, held, "")
	err := a.file.Save(&next)
	if err != nil {
		a.logger.Error("the state was not written", "error", err)
	}
	a.problem(partState, err, reason.StateNotWritten, "file", a.file.Path())
}

// takeOver notes what an administrator made of the device: another agency, and
// with it another id and perhaps another name. The keys stay the same.
func takeOver(s *state.State, known wire.KnownDevice) {
	if wire.CheckID(wire.PrefixDevice, known.ID) == nil && known.Name != "" && known.Agency != "" {
		s.DeviceID, s.DeviceName, s.Agency = known.ID, known.Name, known.Agency
	}
}

// maxSkew is how far the clocks may differ before a person is told. Evidence's
// age does not depend on it, certificates do.
const maxSkew = 2 * time.Minute

func (a *Agent) noteClock(d *device) {
	skew, heard := d.client.Skew()
	var err error
	if heard && skew.Abs() > maxSkew {
		err = fault(nil, reason.AgentClockWrong)
		a.logger.Warn("this clock and the PDP's differ", "skew", skew)
	}
	a.problem(partClock, err, "")
}

// bucket permits a burst, and then one each period.
type bucket struct {
	size   time.Duration
	period time.Duration
	paid   time.Time
}

func newBucket(number int, period time.Duration) *bucket {
	return &bucket{size: time.Duration(number) * period, period: period}
}

// wait takes a token and returns how long to wait for it. One goroutine at a
// time may call it.
func (b *bucket) wait(now time.Time) time.Duration {
	if b.paid.Before(now) {
		b.paid = now
	}
	debt := b.paid.Sub(now) + b.period - b.size
	b.paid = b.paid.Add(b.period)
	return max(0, debt)
}
