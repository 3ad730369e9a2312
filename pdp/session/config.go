package session

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// Subject is what a decision is asked about.
type Subject struct {
	Session string
	SignIn  wire.SignIn
	Binding wire.DeviceBinding
	Portal  string
	Network wire.NetworkFacts
	// Address is the client's, where it is known; for the inference alone.
	Address netip.Addr
	Request wire.RequestFacts
}

// Engine puts the facts of a subject together and decides. The Decision's ID,
// Action, At and InputsDigest are set by this package. Facts are kept and must not change
// afterwards.
type Engine interface {
	Decide(ctx context.Context, subject Subject, action wire.Action) (wire.Facts, wire.Decision, error)
}

// Tokens mints the access token for an allow.
type Tokens interface {
	Mint(ctx context.Context, session string, facts *wire.Facts, decision *wire.Decision) (token string, expires time.Time, err error)
}

// Recorder is the audit log: Append returns once the record is durable.
type Recorder interface {
	Append(ctx context.Context, r wire.AuditRecord) (uint64, error)
}

// Inputs seals what a decision about a person was computed from, for its record.
type Inputs interface {
	Seal(ctx context.Context, agency, person, decision string, canonical []byte) (wire.SealedInputs, error)
}

// Config is what a Manager stands on. All members but Observe and Used are needed.
type Config struct {
	Store    store.Store
	Engine   Engine
	Tokens   Tokens
	Recorder Recorder
	Inputs   Inputs
	// Observe is shown every decision that was taken and recorded, with its
	// facts. It must not block, and change neither.
	Observe func(*wire.Facts, *wire.Decision)
	// Used hears every few seconds how often decisions of a session were used
	// again, by action. It must not block. Optional.
	Used   func(sessionID string, action wire.Action, uses uint64)
	Clock  func() time.Time
	Random io.Reader
	Logger *slog.Logger
	Limits Limits
}

// Limits are the times and sizes of sessions.
type Limits struct {
	// Idle and Absolute end a session; Absolute counts from the touch of the
	// key (requirements 15: 15 minutes and 12 hours at most).
	Idle     time.Duration
	Absolute time.Duration
	// From ReconfirmFrom after the device's confirmation on a network, document
	// navigations go to be confirmed again; at ReconfirmAt everything does.
	ReconfirmFrom time.Duration
	ReconfirmAt   time.Duration
	// PerPerson bounds one person's sessions; the longest unused gives way.
	PerPerson int
	// Deadline bounds how long a request waits for its decision.
	Deadline time.Duration
	// Computing bounds the decisions that are being taken at one time.
	Computing int
	// UsesEvery is how often further uses of decisions are recorded.
	UsesEvery time.Duration
	// SeenEvery is how often a session's last use is stored.
	SeenEvery time.Duration
}

// DefaultLimits returns the limits of design and requirements.
func DefaultLimits() Limits {
	return Limits{
		Idle: maxIdle, Absolute: maxAbsolute,
		ReconfirmFrom: 10 * time.Minute, ReconfirmAt: 15 * time.Minute,
		PerPerson: 16, Deadline: 2 * time.Second, Computing: 64,
		UsesEvery: 5 * time.Second, SeenEvery: time.Minute,
	}
}

const (
	maxIdle     = 15 * time.Minute // SP 800-63B-4, 2.3.3
	maxAbsolute = 12 * time.Hour
	maxUses     = 10 * time.Second // design: audit
	maxPlaces   = 4                // proven networks of one session
)

// ErrLimits is returned by New for limits that are missing or laxer than
// requirements 15 and the design permit.
var ErrLimits = errors.New("session: limits out of range")

func (l Limits) check() error {
	switch {
	case l.Idle <= 0 || l.Idle > maxIdle,
		l.Absolute <= 0 || l.Absolute > maxAbsolute,
		l.ReconfirmAt <= 0 || l.ReconfirmAt > l.Absolute,
		l.ReconfirmFrom <= 0 || l.ReconfirmFrom > l.ReconfirmAt,
		l.PerPerson < 1, l.Computing < 1, l.Deadline <= 0,
		l.UsesEvery <= 0 || 2*l.UsesEvery > maxUses,
		l.SeenEvery <= 0:
		return ErrLimits
	}
	return nil
}
