package risk

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// KeySet verifies tokens: type, algorithm and signature. An error that wraps
// ErrKey says that no key of the set signed the token, any other that it is no
// token of this type.
type KeySet interface {
	Verify(compact string) (claims []byte, err error)
}

// ErrKey marks a token that no key of its source signed.
var ErrKey = errors.New("risk: not signed with a key of the source's")

// Directory knows people and devices. What is not there is store.ErrNotFound.
type Directory interface {
	Person(ctx context.Context, id string) (wire.Person, error)
	PersonByAccount(ctx context.Context, agency, account string) (wire.Person, error)
	Device(ctx context.Context, id string) (wire.Device, error)
	DeviceByName(ctx context.Context, agency, name string) (wire.Device, error)
}

// Recorder is the audit log: Append returns once the record is durable.
type Recorder interface {
	Append(ctx context.Context, r wire.AuditRecord) (uint64, error)
}

// Config is what a Listener stands on. All members are needed.
type Config struct {
	Store     store.Store
	Directory Directory
	Recorder  Recorder
	// Keys reads a JWK set (RFC 7517).
	Keys func(raw []byte) (KeySet, error)
	// HTTP fetches the key sets that sources publish. It verifies certificates
	// and follows no redirect.
	HTTP   *http.Client
	Clock  func() time.Time
	Random io.Reader
	Logger *slog.Logger
	// Origin is the PDP's own, such as https://pdp.example.gov.tw.
	Origin string
}

func (c Config) check() error {
	if c.Store == nil || c.Directory == nil || c.Recorder == nil || c.Keys == nil || c.HTTP == nil || c.Clock == nil || c.Random == nil || c.Logger == nil {
		return errors.New("risk: a member of the configuration is missing")
	}
	if !strings.HasPrefix(c.Origin, "https://") {
		return errors.New("risk: the audience is not an https address")
	}
	return nil
}

// Bounds of what sources may say.
const (
	mostSources    = 16 // of one agency
	mostDomains    = 8  // of one source
	mostStatements = 20_000
	mostName       = 64
	mostText       = 256
	maxKeys        = 64 << 10
	mostAddress    = 2048
	maxToken       = 16 << 10
	mostAtOnce     = 8
	writeDeadline  = 5 * time.Second
	// skew is how far a source's clock may be ahead.
	skew = time.Minute
	// DefaultLife is how long a statement counts, in hours, where nobody says.
	DefaultLife = 24
	mostLife    = 30 * 24
	// refusalsEvery bounds how often one source's refusals are recorded.
	refusalsEvery = 10 * time.Second
)
