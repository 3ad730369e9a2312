package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/menshen-zt/menshen/agent/client"
	"github.com/menshen-zt/menshen/agent/helper"
	"github.com/menshen-zt/menshen/agent/inventory"
	"github.com/menshen-zt/menshen/agent/local"
	"github.com/menshen-zt/menshen/agent/posture"
	"github.com/menshen-zt/menshen/agent/remedy"
	"github.com/menshen-zt/menshen/agent/state"
	"github.com/menshen-zt/menshen/agent/tpm"
	"github.com/menshen-zt/menshen/internal/command"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Agent is the running agent.
type Agent struct {
	config  Config
	version string
	logger  *slog.Logger
	clock   func() time.Time

	file    *state.File
	helper  *helper.Client
	posture *posture.Set
	// watched is posture without the firewall, which the helper watches.
	watched   *posture.Set
	baselines *baselines
	software  *inventory.Reader
	seats     local.Seats
	screens   screenLocks
	// remedies asks the process that repairs things.
	remedies *remedy.Client
	asked    asked
	wake     chan string // at most one cause waits
	pace     *bucket
	past     past

	mu   sync.Mutex
	view view
}

// view is what the agent knows of itself; Agent.mu guards it.
type view struct {
	state     *state.State
	device    *device
	connected bool
	answer    *state.Last
	nextAt    time.Time
	claims    wire.Claims
	// watching says that the helper tells of changes to the firewall.
	watching bool
	// problems holds what is wrong now, by the part that is concerned.
	problems map[part]wire.Reason
	// begun and ended count attestations; done closes when the next one ends.
	begun, ended uint64
	done         chan struct{}
}

// part is a part of the agent that can have a problem of its own.
type part int

const (
	partTPM part = iota
	partAttestation
	partConnection
	partHelper
	partLoopback
	partState
	partDevice
	partBaseline
	partClock
)

// New prepares an agent. Nothing is opened yet.
func New(c Config, version string, logger *slog.Logger) (*Agent, error) {
	users, err := c.users()
	if err != nil {
		return nil, fault(err, reason.AgentConfiguration, "detail", err.Error())
	}
	root := os.DirFS("/")
	a := &Agent{
		config: c, version: version, logger: logger, clock: time.Now,
		file: state.At(c.State), helper: helper.NewClient(c.Helper), remedies: remedy.NewClient(c.Remedy),
		seats: local.LogindSeats{Files: root},
		wake:  make(chan string, 1),
		pace:  newBucket(burst, perAttestation),
	}
	if c.Seat == SeatNone {
		a.seats = local.NoSeats{Users: users}
	}
	here := a.machine()
	a.posture, a.screens.desktop = posture.New(here), here.HasDesktop
	a.watched = a.posture.Without(wire.ClaimFirewall)
	a.software = inventory.New(inventory.Machine{Files: root, Run: command.System{}.Output})
	a.baselines = &baselines{config: c.Baselines, root: a.helper}
	a.view.problems = map[part]wire.Reason{}
	a.view.done = make(chan struct{})
	return a, nil
}

// machine is what the collectors look at.
func (a *Agent) machine() posture.Machine {
	m := posture.Here()
	m.Firewall, m.Clock, m.ScreenLocks = a.helper, a.clock, a.screens.all
	m.Settings = a.config.settings()
	return m
}

// Run runs the agent until ctx ends. Before the device is enrolled it waits and
// answers `status`.
func (a *Agent) Run(ctx context.Context) error {
	if os.Geteuid() == 0 && !a.config.AllowRoot {
		return fault(nil, reason.AgentRunsAsRoot)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel(nil)
	all.Go(func() {
		err := local.ServeControl(ctx, local.ControlConfig{Socket: a.config.Control, Agent: a, Seats: a.seats, Logger: a.logger})
		if err != nil {
			cancel(fault(err, reason.AgentCannotListen, "file", a.config.Control))
		}
	})
	err := a.enrolled(ctx)
	if cause := context.Cause(ctx); err == nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	return err
}

// enrolWait is how often a device that is not enrolled looks again.
const enrolWait = time.Second

// lockTries is how often the state's lock is tried again.
const lockTries = 3

// enrolled waits for the state, takes it, and serves until ctx ends.
func (a *Agent) enrolled(ctx context.Context) error {
	s, release, err := a.take(ctx)
	if s == nil {
		return err
	}
	defer release()
	a.mu.Lock()
	a.view.state, a.view.answer = s, s.Last
	a.mu.Unlock()
	a.logger.Info("agent is running", "device", s.DeviceName, "pdp", a.address(s), "version", a.version)
	return a.serve(ctx, s)
}

// take loads the state under its lock. Without a state it waits; with one that
// cannot be read it ends.
func (a *Agent) take(ctx context.Context) (*state.State, func(), error) {
	told, tries := false, 0
	for ctx.Err() == nil {
		_, err := a.file.Load()
		switch {
		case err == nil:
			s, release, err := a.lockAndLoad()
			if !errors.Is(err, state.ErrLocked) || tries >= lockTries {
				return s, release, err
			}
			tries++ // an enrolment is just finishing
		case !errors.Is(err, state.ErrNotEnrolled):
			return nil, nil, stateFault(err, a.file.Path())
		case !told:
			a.logger.Info("this device is not enrolled yet; waiting", "state", a.file.Path())
			told = true
		}
		pause(ctx, enrolWait)
	}
	return nil, nil, nil
}

// lockAndLoad reads the state under its lock: somebody may have enrolled anew
// before.
func (a *Agent) lockAndLoad() (*state.State, func(), error) {
	release, err := a.file.Lock()
	if err != nil {
		return nil, nil, stateFault(err, a.file.Path())
	}
	s, err := a.file.Load()
	if err != nil {
		release()
		return nil, nil, stateFault(err, a.file.Path())
	}
	return s, release, nil
}

// serve runs everything that an enrolled device does.
func (a *Agent) serve(ctx context.Context, s *state.State) error {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	browser := local.NewBrowser(a.browserConfig(s))
	all.Go(func() {
		local.ServeBrowser(ctx, a.config.Port, browser, a.logger, func(err error) {
			if err != nil {
				a.logger.Warn("the loopback port cannot be opened", "port", a.config.Port, "error", err)
			}
			a.problem(partLoopback, err, reason.LocalPortTaken, "port", fmt.Sprint(a.config.Port))
		})
	})
	all.Go(func() { a.watchFirewall(ctx) })
	all.Go(func() { a.watchMachine(ctx) })
	return a.keepDevice(ctx, s)
}

// Pauses after which the TPM is tried again.
const (
	firstTPMPause = time.Second
	lastTPMPause  = time.Minute
)

// keepDevice keeps the TPM open and attests. Without any TPM at start it ends:
// a service manager starts it again. A TPM that is busy, replaced or fails is
// tried again, and `status` says which.
func (a *Agent) keepDevice(ctx context.Context, s *state.State) error {
	wait := firstTPMPause
	for first := true; ctx.Err() == nil; first = false {
		d, err := a.openDevice(s)
		a.problem(partTPM, err, "")
		if err != nil {
			a.logger.Error("the TPM cannot be used", "device", a.config.TPM, "error", err)
			if (first && errors.Is(err, tpm.ErrNotFound)) || ReasonOf(err).Code == reason.StateCorrupt {
				return err
			}
			pause(ctx, wait)
			wait = min(2*wait, lastTPMPause)
			continue
		}
		wait = firstTPMPause
		a.setDevice(d)
		err = a.attached(ctx, d)
		a.setDevice(nil)
		if closed := d.close(); closed != nil {
			a.logger.Warn("closing the TPM failed", "error", closed)
		}
		if ctx.Err() == nil {
			a.problem(partTPM, err, "")
			a.logger.Error("the TPM failed; it is opened anew", "error", err)
			pause(ctx, firstTPMPause)
		}
	}
	return nil
}

// attached holds the standing connection and attests with an open device. It
// returns nil when ctx ends, or the TPM's error.
func (a *Agent) attached(ctx context.Context, d *device) error {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	all.Go(func() {
		d.client.Stand(ctx, func(c wire.Command) { a.obey(ctx, &all, d.client, c) }, a.connection)
	})
	return a.attestations(ctx, d)
}

// connection takes note of the standing connection. When it comes back after a
// failure, what failed meanwhile is tried at once.
func (a *Agent) connection(err error) {
	a.mu.Lock()
	was := a.view.connected
	a.view.connected = err == nil
	_, failed := a.view.problems[partAttestation]
	a.mu.Unlock()
	a.problem(partConnection, err, "")
	switch {
	case err != nil && was:
		a.logger.Warn("the connection to the PDP is gone", "error", err)
	case err != nil:
		a.logger.Debug("still no connection to the PDP", "error", err)
	case !was:
		a.logger.Info("the connection to the PDP stands")
		if failed {
			a.trigger("the connection is back")
		}
	}
}

func (a *Agent) setDevice(d *device) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.view.device = d
	if d == nil {
		a.view.connected = false
	}
}

// current returns the open device's client, or the reason that there is none.
func (a *Agent) current() (*client.Client, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.view.device != nil {
		return a.view.device.client, nil
	}
	if why, ok := a.view.problems[partTPM]; ok {
		return nil, &Fault{why: why}
	}
	return nil, fault(nil, reason.TPMBusy)
}

// problem notes what is wrong with a part; nil takes it off. With a code the
// error's own reason does not count.
func (a *Agent) problem(p part, err error, code string, args ...string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case err == nil:
		delete(a.view.problems, p)
	case code != "":
		a.view.problems[p] = reason.New(code, args...)
	default:
		a.view.problems[p] = ReasonOf(err)
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
