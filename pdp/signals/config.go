package signals

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// Signer signs events in an agency's name.
type Signer interface {
	// EnsureSET makes the agency's keys if it has none.
	EnsureSET(agency string) error
	SignSET(agency string, claims []byte) (string, error)
}

// Sealer keeps receivers' own secrets unreadable in the store.
type Sealer interface {
	Seal(purpose string, expires time.Time, v any) (string, error)
	Open(purpose, text string, now time.Time, v any) error
}

// Recorder is the audit log: Append returns once the record is durable.
type Recorder interface {
	Append(ctx context.Context, r wire.AuditRecord) (uint64, error)
}

// Directory knows whose person and device somebody or something is.
type Directory interface {
	Person(ctx context.Context, id string) (wire.Person, error)
	Device(ctx context.Context, id string) (wire.Device, error)
}

// Config is what a Transmitter stands on. All members but Roots are needed.
type Config struct {
	Store     store.Store
	Signer    Signer
	Sealer    Sealer
	Recorder  Recorder
	Directory Directory
	// Standing is the appraisal's present view of a device, Session and Score
	// are what is known of a live session.
	Standing func(deviceID string) wire.DeviceStanding
	Session  func(sessionID string) (Session, bool)
	Score    func(sessionID string) (score int, known bool)
	Clock    func() time.Time
	Random   io.Reader
	Logger   *slog.Logger
	// Origin is the PDP's own, such as https://pdp.example.gov.tw.
	Origin string
	// Roots verify the receivers that events are pushed to; the system's if nil.
	Roots  *x509.CertPool
	Limits Limits
}

// Limits are the bounds and times of a Transmitter.
type Limits struct {
	// Pending bounds the events that one stream holds.
	Pending int
	// Intake bounds the changes that wait to become events.
	Intake int
	// Poll is how long a poll waits for an event at most; less than the time in
	// which the listener wants a request read, or it would be cut.
	Poll time.Duration
	// Verification is the least time between two verifications of a stream.
	Verification time.Duration
	// Retry is the first pause after a failed push; it doubles up to RetryMost.
	Retry     time.Duration
	RetryMost time.Duration
	// GiveUp is how long pushing may fail before the stream is paused.
	GiveUp time.Duration
}

// DefaultLimits returns the limits of a PDP in service.
func DefaultLimits() Limits {
	return Limits{
		Pending: 10_000, Intake: 8192, Poll: 15 * time.Second, Verification: 5 * time.Second,
		Retry: time.Second, RetryMost: 5 * time.Minute, GiveUp: 24 * time.Hour,
	}
}

// Bounds of what receivers and administrators may make.
const (
	mostReceivers = 12 // of one agency
	mostStreams   = 2  // of one receiver
	mostPolls     = 2  // at once, at one stream
	mostSets      = 50 // in the answer to a poll
	mostEvents    = 32 // event types that a receiver may name
	mostAddresses = 8  // that one receiver may have events pushed to
	mostText      = 1024
	mostURL       = 2048
	maxBody       = 16 << 10
	maxPoll       = 256 << 10 // acknowledgements
	pushTimeout   = 15 * time.Second
	writeDeadline = 5 * time.Second
)

func (c Config) check() error {
	l := c.Limits
	if c.Store == nil || c.Signer == nil || c.Sealer == nil || c.Recorder == nil || c.Directory == nil || c.Standing == nil ||
		c.Session == nil || c.Score == nil || c.Clock == nil || c.Random == nil || c.Logger == nil {
		return errors.New("signals: a member of the configuration is missing")
	}
	if !strings.HasPrefix(c.Origin, "https://") {
		return errors.New("signals: the issuer is not an https address")
	}
	if l.Pending < 1 || l.Intake < 1 || l.Poll <= 0 || l.Verification < 0 || l.Retry <= 0 || l.RetryMost < l.Retry || l.GiveUp <= 0 {
		return errors.New("signals: limits out of range")
	}
	return nil
}
