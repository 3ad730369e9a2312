// Package appraisal asks devices for Evidence, has the Verifier judge it, and
// knows at every moment how far each device can be relied on (RFC 9334, 10:
// freshness by nonce).
//
// Guarantees:
//   - A nonce lives 120 s, is bound to one device and one TLS connection, and
//     works once, also across restarts.
//   - Evidence's age counts from its nonce's issue, never from a time that
//     the agent says. After three intervals it is stale.
//   - A device whose connection has been gone for a minute is silent.
//   - Refused Evidence makes its device refused at once. Only the device's own
//     connection can submit, so nobody makes another's device refused.
//   - Standing is computed from the clock at each call; the timers only tell
//     subscribers when to look again.
package appraisal

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/menshen-zt/menshen/internal/pace"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// Defaults of the times in Config.
const (
	DefaultInterval    = 5 * time.Minute
	DefaultSilentAfter = time.Minute
	DefaultReturnGrace = time.Minute
)

// staleIntervals is after how many intervals Evidence is stale.
const staleIntervals = 3

// Input is what the Verifier judges.
type Input struct {
	Evidence wire.Evidence
	Device   wire.Device
	Nonce    [wire.NonceSize]byte
	// Previous is the clock of the last Evidence that was accepted without a
	// fall of its counters, nil if there is none.
	Previous *wire.TPMClock
	// Cloned says that the Verifier found two copies of this device once. It
	// holds until the device enrols anew.
	Cloned bool
	// Last is the last judgement that counted, nil before the first, and Rests
	// what it rests on: zero where it cannot stand for another Evidence.
	Last  *wire.AttestationResult
	Rests [sha256.Size]byte
	// Recall gives what is kept of the last accepted Evidence, RecallBoot the last
	// boot that a log told of, nil if nothing is.
	Recall     func() *wire.Kept
	RecallBoot func() *wire.Boot
	IssuedAt   time.Time
	Now        time.Time
	ValidFor   time.Duration
}

// Reviewed is a judgement that is made anew from what is kept, because what it
// rests on changed.
type Reviewed struct {
	Device     wire.Device // its ID and Agency
	Last       wire.AttestationResult
	Kept       wire.Kept
	RecallBoot func() *wire.Boot
	Now        time.Time
}

// Boots keeps the last boot of each device. A device without one gives an error
// that wraps store.ErrNotFound.
type Boots interface {
	Boot(ctx context.Context, deviceID string) (wire.Boot, error)
	Saw(ctx context.Context, device wire.Device, boot wire.Boot) error
}

// Sealer makes nonces' tickets.
type Sealer interface {
	Seal(purpose string, expires time.Time, v any) (string, error)
	Open(purpose, text string, now time.Time, v any) error
}

// Recorder returns when the record is durable.
type Recorder interface {
	Append(ctx context.Context, r wire.AuditRecord) (uint64, error)
}

// Config is what an Appraiser needs.
type Config struct {
	Store    store.Store
	Sealer   Sealer
	Verify   func(Input) wire.Appraised
	Review   func(Reviewed) wire.Appraised
	Boots    Boots
	Recorder Recorder
	Clock    func() time.Time
	Random   io.Reader
	Logger   *slog.Logger

	// Interval is how often a device attests, SilentAfter how long its
	// connection may be gone, ReturnGrace how long a device with fresh
	// Evidence has to come back after a restart of the PDP. Zero means the
	// default.
	Interval, SilentAfter, ReturnGrace time.Duration

	// Score returns the last trust score of the device's person for the
	// agent's status. It may be nil.
	Score func(deviceID string) (score int, known bool)
}

func (c *Config) complete() error {
	for name, missing := range map[string]bool{
		"store": c.Store == nil, "sealer": c.Sealer == nil, "verifier": c.Verify == nil, "review": c.Review == nil, "boots": c.Boots == nil, "recorder": c.Recorder == nil,
		"clock": c.Clock == nil, "random": c.Random == nil, "logger": c.Logger == nil,
	} {
		if missing {
			return fmt.Errorf("appraisal: no %s", name)
		}
	}
	for duration, standard := range map[*time.Duration]time.Duration{
		&c.Interval: DefaultInterval, &c.SilentAfter: DefaultSilentAfter, &c.ReturnGrace: DefaultReturnGrace,
	} {
		if *duration == 0 {
			*duration = standard
		}
		if *duration < 0 {
			return errors.New("appraisal: a time is negative")
		}
	}
	return nil
}

// Appraiser is safe for concurrent use.
type Appraiser struct {
	Config
	refusals *pace.Pace // that are recorded

	mu      sync.Mutex
	devices map[string]*device
	repairs map[string]*repair // by device
	queue   queue
	kick    chan struct{}
	// doubted are the agencies to review; doubt is filled when there is one.
	doubted     map[string]struct{}
	doubt       chan struct{}
	subscribers []func(deviceID string)
}

// New returns an Appraiser that knows each device's last result from the
// store. Run must be running for subscribers to hear of changes by time.
func New(ctx context.Context, c Config) (*Appraiser, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	a := &Appraiser{Config: c, devices: map[string]*device{}, repairs: map[string]*repair{}, kick: make(chan struct{}, 1), doubted: map[string]struct{}{}, doubt: make(chan struct{}, 1), refusals: pace.New(10, time.Minute)}
	if err := a.load(ctx); err != nil {
		return nil, err
	}
	return a, nil
}

// Subscribe has f called after each change of a device's standing, by time
// too. f must not block.
func (a *Appraiser) Subscribe(f func(deviceID string)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.subscribers = append(a.subscribers, f)
}

// tell must be called without the lock.
func (a *Appraiser) tell(deviceID string) {
	a.mu.Lock()
	subscribers := a.subscribers
	a.mu.Unlock()
	for _, f := range subscribers {
		f(deviceID)
	}
}

// ValidFor is how long Evidence counts from its nonce's issue.
func (a *Appraiser) validFor() time.Duration { return staleIntervals * a.Interval }
