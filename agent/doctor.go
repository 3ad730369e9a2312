package agent

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/menshen-zt/menshen/agent/client"
	"github.com/menshen-zt/menshen/agent/helper"
	"github.com/menshen-zt/menshen/agent/local"
	"github.com/menshen-zt/menshen/agent/state"
	"github.com/menshen-zt/menshen/agent/tpm"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Diagnosis is one thing that the agent needs, and whether it has it.
type Diagnosis struct {
	// Name is state, agent, tpm or keys, helper, pdp, clock, port or seat.
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	// Reason says what is wrong, and Detail is for the service desk.
	Reason *wire.Reason `json:"reason,omitempty"`
	Detail string       `json:"detail,omitempty"`
}

// Diagnose says what keeps the agent from working. Where the agent runs, what
// it alone may hold (the TPM, the port) is asked of it.
func Diagnose(ctx context.Context, c Config) []Diagnosis {
	e := examination{ctx: ctx, config: c}
	e.status, e.running = local.AskStatus(ctx, c.Control)
	e.add("agent", e.running, reason.AgentNotRunning)
	e.enrolment()
	if c.Keys == KeysSoftware {
		e.softwareKeys()
	} else {
		e.trustedModule()
	}
	_, err := helper.NewClient(c.Helper).Firewall(ctx)
	e.add("helper", err, reason.HelperNotAnswering)
	e.decisionPoint()
	e.port()
	e.seat()
	return e.found
}

// examination collects diagnoses.
type examination struct {
	ctx     context.Context
	config  Config
	status  local.Status
	running error // nil when the agent answers
	state   *state.State
	found   []Diagnosis
}

// add notes one diagnosis; an error without a reason of its own gets code.
func (e *examination) add(name string, err error, code string, args ...string) {
	d := Diagnosis{Name: name, OK: err == nil}
	if err != nil {
		d.Detail = err.Error()
		why := ReasonOf(err)
		if why.Code == reason.AgentInternal {
			why = reason.New(code, args...)
		}
		d.Reason = &why
	}
	e.found = append(e.found, d)
}

func (e *examination) enrolment() {
	s, err := state.At(e.config.State).Load()
	if errors.Is(err, state.ErrUnreadable) && e.running == nil && e.status.Enrolled {
		err = nil // another user's file; the agent can read it
	}
	e.state = s
	if err != nil {
		err = stateFault(err, e.config.State)
	}
	e.add("state", err, reason.StateUnreadable)
}

// trustedModule opens the TPM, unless a running agent holds it: that one knows.
func (e *examination) trustedModule() {
	if e.running == nil && e.status.Enrolled {
		for _, why := range e.status.Problems {
			switch why.Code {
			case reason.TPMNotFound, reason.TPMBusy, reason.TPMReplaced, reason.TPMCleared, reason.TPMFailed:
				e.add("tpm", &Fault{why: why}, why.Code)
				return
			}
		}
		e.add("tpm", nil, "")
		return
	}
	t, err := tpm.Open(e.config.TPM)
	if err == nil {
		_, err = t.PCRs()
		err = errors.Join(err, t.Close())
	}
	e.add("tpm", err, reason.TPMFailed)
}

// decisionPoint connects to the PDP under the pinned CA. The key is one of a
// moment: what is looked at is the server, its name, its CA and the clock.
func (e *examination) decisionPoint() {
	if e.running == nil && e.status.Enrolled && e.state == nil {
		e.asTheAgentSees()
		return
	}
	if e.state == nil {
		e.add("pdp", fault(nil, reason.AgentNotEnrolled), "")
		return
	}
	address := e.state.PDP
	if e.config.PDP != "" {
		address = e.config.PDP
	}
	ca, err := pinnedCA(e.state)
	if err != nil {
		e.add("pdp", stateFault(err, e.config.State), "")
		return
	}
	skew, err := client.Reach(e.ctx, address, ca, time.Now, rand.Reader)
	e.add("pdp", err, reason.PDPUnreachable, "address", address)
	if err == nil {
		var wrong error
		if skew.Abs() > maxSkew {
			wrong = fault(fmt.Errorf("the PDP's clock is %v ahead", skew), reason.AgentClockWrong)
		}
		e.add("clock", wrong, reason.AgentClockWrong)
	}
}

// asTheAgentSees tells of the PDP for a user who may not read the state.
func (e *examination) asTheAgentSees() {
	for _, why := range e.status.Problems {
		switch why.Code {
		case reason.PDPUnreachable, reason.PDPWrongCA, reason.PDPCertificateOld, reason.PDPBusy, reason.PDPRefused, reason.PDPAnswerOdd, reason.AgentDeviceUnknown, reason.AgentClockWrong:
			e.add("pdp", &Fault{why: why}, why.Code)
			return
		}
	}
	e.add("pdp", nil, "")
}

func (e *examination) port() {
	number := strconv.Itoa(e.config.Port)
	if e.running == nil && e.status.Enrolled {
		for _, why := range e.status.Problems {
			if why.Code == reason.LocalPortTaken {
				e.add("port", &Fault{why: why}, why.Code)
				return
			}
		}
		e.add("port", nil, "")
		return
	}
	listener, err := (&net.ListenConfig{}).Listen(e.ctx, "tcp4", net.JoinHostPort("127.0.0.1", number))
	if err == nil {
		err = listener.Close()
	}
	e.add("port", err, reason.LocalPortTaken, "port", number)
}

// seat looks whether anybody's seat can be told at all.
func (e *examination) seat() {
	if e.config.Seat == SeatNone {
		e.add("seat", nil, "")
		return
	}
	_, err := local.LogindSeats{Files: os.DirFS("/")}.Check(uint32(os.Geteuid())) // #nosec G115 -- a user id
	if errors.Is(err, local.ErrOtherUser) {
		err = nil // somebody else sits there, so seats are known
	}
	e.add("seat", err, reason.LocalUserUnknown)
}
