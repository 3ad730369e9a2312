package authzen

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Portals finds the portal that a bearer secret proves. The caller must not
// change it.
type Portals interface {
	PortalOf(ctx context.Context, secret string) (*wire.Portal, error)
}

// Judge answers portals' questions.
type Judge interface {
	// Hear begins one request of a portal, which is judged as of that time.
	Hear(portal *wire.Portal, at time.Time) Hearing
}

// Hearing is one request: what is known of a session is the same in all its
// questions. It is used by one goroutine.
type Hearing interface {
	// Open begins an inquiry: questions that differ from q in no more than the
	// ids of subject and resource and the action's name.
	Open(q *wire.Question) Inquiry
	// Inputs fills in what the answers so far were judged by: rules and looks.
	Inputs(in *wire.EvaluationInputs)
}

// Inquiry answers. It is used by one goroutine.
type Inquiry interface {
	// Answer never fails: what cannot be judged is denied.
	Answer(ctx context.Context, subject, action, resource string) wire.Answer
	// Subjects, Resources and Actions are all that can be answered for, in one
	// order; the caller must not change them.
	Subjects() []string
	Resources() []string
	Actions() []string
	// Basis is what the answers so far stand on.
	Basis() wire.EvaluationBasis
	// Stands reports whether what was answered still holds.
	Stands() bool
}

// Inputs seals what a request was answered from, so that it can be answered
// again and so that it no longer can once any of the owners' keys is gone. Its
// error wraps ErrTooLarge for more than a record may hold.
type Inputs interface {
	Seal(ctx context.Context, agency string, owners []string, decision string, canonical []byte) (wire.SealedInputs, error)
}

// ErrTooLarge says that inputs are more than a record may hold.
var ErrTooLarge = errors.New("authzen: more than a record may hold")

// Sealer makes and opens page tokens.
type Sealer interface {
	Seal(purpose string, expires time.Time, v any) (string, error)
	Open(purpose, text string, now time.Time, v any) error
}

// Recorder returns when the record is durable.
type Recorder interface {
	Append(ctx context.Context, r wire.AuditRecord) (uint64, error)
}

// Config is what a Server stands on. All members are needed.
type Config struct {
	Portals  Portals
	Judge    Judge
	Sealer   Sealer
	Inputs   Inputs
	Recorder Recorder
	// Names are the host names and addresses that callers reach this port by.
	Names  []string
	Clock  func() time.Time
	Random io.Reader
	Logger *slog.Logger
}

// maxSearches bounds the searches under way.
const maxSearches = 4

// Server answers AuthZEN requests. It is safe for concurrent use.
type Server struct {
	Config
	endpoints map[string]endpoint
	searches  chan struct{}

	mu       sync.Mutex
	ofPortal map[string]chan struct{} // searches; there are as many as portals that have searched
}

// endpoint answers one path's request, whose body was read. What it returns is
// the answer, with what is recorded of it.
type endpoint func(ctx context.Context, c *call) (answer any, err error)

// New returns a Server.
func New(c Config) (*Server, error) {
	if c.Portals == nil || c.Judge == nil || c.Sealer == nil || c.Inputs == nil || c.Recorder == nil || len(c.Names) == 0 ||
		c.Clock == nil || c.Random == nil || c.Logger == nil {
		return nil, errors.New("authzen: a member of the configuration is missing")
	}
	s := &Server{Config: c, searches: make(chan struct{}, maxSearches), ofPortal: map[string]chan struct{}{}}
	s.endpoints = map[string]endpoint{
		pathEvaluation:     s.evaluation,
		pathEvaluations:    s.evaluations,
		pathSearchSubject:  s.searchSubject,
		pathSearchResource: s.searchResource,
		pathSearchAction:   s.searchAction,
	}
	return s, nil
}

var _ http.Handler = (*Server)(nil)
