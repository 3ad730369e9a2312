package decision

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/menshen-zt/menshen/internal/admission"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Sessions is the policy administrator.
type Sessions interface {
	Authorize(ctx context.Context, q wire.AccessRequest) wire.Access
	// Recheck is Authorize for an open connection: no use of the session.
	Recheck(ctx context.Context, q wire.AccessRequest) wire.Access
	// Peek is what Authorize last answered, if it is still known.
	Peek(q wire.AccessRequest) (wire.Access, bool)
	// LastRefused is what was refused last to the session, there where q is from.
	LastRefused(q wire.AccessRequest) (action wire.Action, class string, ok bool)
	// Admitted reports whether a session may be used for such a request, and
	// the device that it is bound to.
	Admitted(q wire.AccessRequest) (deviceID string, ok bool)
	Create(ctx context.Context, portal wire.Portal, login wire.Login, address netip.Addr, previous [sha256.Size]byte) (cookie string, err error)
	SignOut(ctx context.Context, portalID string, cookie [sha256.Size]byte) error
	DeviceChanged(deviceID string)
}

// Portals finds the portal whose bearer secret has this digest.
type Portals interface {
	PortalBySecret(ctx context.Context, hash [sha256.Size]byte) (wire.Portal, error)
}

// Logins redeems a login code, once; refusals wrap wire.ErrLoginRefused.
type Logins interface {
	Redeem(ctx context.Context, code string, preCookieHash [sha256.Size]byte, portalID string) (wire.Login, error)
}

// Sealer makes sealed tickets.
type Sealer interface {
	Seal(purpose string, expires time.Time, v any) (string, error)
}

// Devices asks agents to measure.
type Devices interface {
	// Ask asks the agent to measure now; done closes when newer Evidence was
	// appraised.
	Ask(deviceID string) (commandID string, done <-chan struct{})
}

// Pages writes what people see on the portal's host, status included, in their
// language.
type Pages interface {
	Denial(w http.ResponseWriter, r *http.Request, p wire.DenialPage)
	// Fault tells of why; again is a path where to start again.
	Fault(w http.ResponseWriter, r *http.Request, status int, why wire.Reason, again string)
	SignedOut(w http.ResponseWriter, r *http.Request, portal wire.Portal, again string)
	// Assets answers <version>/<file>.
	Assets() http.Handler
}

// Config is what a Server stands on. All members are needed, except Taken and
// Tokens.
type Config struct {
	Sessions Sessions
	Portals  Portals
	Logins   Logins
	Sealer   Sealer
	Devices  Devices
	Pages    Pages
	// Tokens verifies access tokens that portals' servers present; nil if none
	// are accepted.
	Tokens Tokens
	// Taken reports whether the agent has taken a command; nil if that cannot
	// be told.
	Taken func(deviceID, commandID string) bool
	// SignIn is the address of the PDP's sign-in page.
	SignIn string
	Clock  func() time.Time
	Random io.Reader
	Logger *slog.Logger
}

// Bounds of the sign-ins that begin or end at one time.
const (
	maxSignIns = 16
	maxWaiting = 128
	patience   = time.Second
)

// Server is the proxies' port.
type Server struct {
	Config
	portals portals
	checks  checks
	routes  map[string]route
	assets  http.Handler
	// signIns bounds the sign-ins that begin or end at once, so that a flood of
	// them leaves the questions of known sessions alone.
	signIns   *admission.Gate
	presented presented
	refusals  refusals
	// connections outlive their requests.
	connections *connections
	// unreadable refuses what may be for any part of a portal.
	unreadable wire.Reason
	// unproven and malformed are when such a proxy was last logged.
	unproven, malformed atomic.Int64
}

// New returns the handler of the proxies' port.
func New(c Config) (*Server, error) {
	if c.Sessions == nil || c.Portals == nil || c.Logins == nil || c.Sealer == nil || c.Devices == nil || c.Pages == nil ||
		c.Clock == nil || c.Random == nil || c.Logger == nil {
		return nil, errors.New("decision: a member of the configuration is missing")
	}
	if !strings.HasPrefix(c.SignIn, "https://") {
		return nil, errors.New("decision: the sign-in page must have an https address")
	}
	var epoch [16]byte
	if _, err := io.ReadFull(c.Random, epoch[:]); err != nil {
		return nil, fmt.Errorf("decision: %w", err)
	}
	s := &Server{Config: c, connections: newConnections(hex.EncodeToString(epoch[:])), refusals: newRefusals(), assets: http.StripPrefix("/.menshen/assets", c.Pages.Assets()),
		unreadable: reason.New(reason.AddressUnreadable), signIns: admission.NewGate(maxSignIns, maxWaiting, patience)}
	s.routes = s.table()
	s.portals.source = c.Portals
	s.checks.bySession = map[[sha256.Size]byte]*check{}
	return s, nil
}

// PortalsChanged says that a portal was added, changed or removed.
func (s *Server) PortalsChanged() { s.portals.forget() }
