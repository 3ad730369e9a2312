package agent

import (
	"context"
	"crypto/rand"
	"os"
	"time"

	"github.com/menshen-zt/menshen/agent/local"
	"github.com/menshen-zt/menshen/agent/state"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Status says how the agent is.
func (a *Agent) Status() local.Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	v := &a.view
	s := local.Status{
		V: 1, Version: a.version, Enrolled: v.state != nil, Connected: v.connected,
		Claims: v.claims.Claims, Seat: a.config.Seat, Port: a.config.Port, PDP: a.config.PDP,
	}
	if v.state != nil {
		s.DeviceID, s.DeviceName, s.Agency = v.state.DeviceID, v.state.DeviceName, v.state.Agency
		s.Provenance, s.PDP, s.WebOrigin = v.state.Provenance, a.address(v.state), v.state.WebOrigin
	}
	if v.answer != nil {
		s.Accepted, s.Result, s.Trust = v.answer.Accepted, &v.answer.Result, v.answer.Trust
	}
	if !v.nextAt.IsZero() {
		s.NextAt = &v.nextAt
	}
	for p := partTPM; p <= partClock; p++ {
		if why, ok := v.problems[p]; ok {
			s.Problems = append(s.Problems, why)
		}
	}
	s.Health, s.Reason = v.health(a.clock())
	return s
}

// health sums up. Only an accepted, valid result without a fault is healthy.
func (v *view) health(now time.Time) (local.Health, *wire.Reason) {
	unknown := func(code string) (local.Health, *wire.Reason) {
		for _, p := range []part{partTPM, partAttestation, partConnection} {
			if why, ok := v.problems[p]; ok {
				return local.HealthUnknown, &why
			}
		}
		why := reason.New(code)
		return local.HealthUnknown, &why
	}
	quarantine, held := v.problems[partDevice]
	switch why, failed := v.problems[partAttestation]; {
	case v.state == nil:
		return unknown(reason.AgentNotEnrolled)
	case failed && why.Code == reason.AgentDeviceUnknown:
		return local.HealthFailing, &why
	case held:
		return local.HealthFailing, &quarantine
	case v.answer == nil:
		return unknown(reason.AgentNoResult)
	case !v.answer.Accepted:
		return local.HealthFailing, nil
	case now.After(v.answer.Result.ValidUntil):
		return unknown(reason.AgentResultOld)
	}
	for _, f := range v.answer.Result.Findings {
		if f.Fails() {
			return local.HealthFailing, nil
		}
	}
	return local.HealthGood, nil
}

// Check measures and attests now. It returns the status after an attestation
// that began after the call, or as it is when ctx ends.
func (a *Agent) Check(ctx context.Context) local.Status {
	a.mu.Lock()
	target, attached := a.view.begun+1, a.view.device != nil
	a.mu.Unlock()
	if attached {
		a.forget() // what was just put right is to count at once
		a.trigger("asked on this machine")
		for a.waitFor(ctx, target) {
		}
	}
	return a.Status()
}

// forget has everything measured anew.
func (a *Agent) forget() {
	a.posture.Forget()
	a.baselines.forget()
}

// waitFor waits for one more attestation to end; false when enough have, or
// ctx has.
func (a *Agent) waitFor(ctx context.Context, target uint64) bool {
	a.mu.Lock()
	ended, done := a.view.ended, a.view.done
	a.mu.Unlock()
	if ended >= target {
		return false
	}
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}

// browserConfig is what the sign-in page meets.
func (a *Agent) browserConfig(s *state.State) local.BrowserConfig {
	return local.BrowserConfig{
		WebOrigin: s.WebOrigin, Port: a.config.Port, Confirmer: confirmer{a},
		Owners: local.ProcOwners{Files: os.DirFS("/")}, Seats: a.seats,
		Clock: a.clock, Random: rand.Reader, Logger: a.logger,
	}
}

// confirmer confirms over whichever connection stands.
type confirmer struct{ agent *Agent }

// Confirm implements local.Confirmer.
func (c confirmer) Confirm(ctx context.Context, confirmation wire.DeviceConfirmation) error {
	pdp, err := c.agent.current()
	if err != nil {
		return err
	}
	return pdp.Confirm(ctx, confirmation)
}
