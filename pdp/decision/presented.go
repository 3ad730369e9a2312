package decision

import (
	"crypto/sha256"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// maxPresented bounds the verified tokens that are remembered.
const maxPresented = 1 << 14

// Tokens verifies access tokens that are presented instead of a cookie. Its
// errors wrap wire.ErrTokenRefused and wire.ErrTokenBound.
type Tokens interface {
	Verify(text string, portal *wire.Portal) (wire.PresentedToken, error)
}

// presented remembers the tokens that were verified, by their digests, so that
// a signature is checked once. What a token opens is not remembered: its session
// is asked each time.
type presented struct {
	mu    sync.RWMutex
	known map[[sha256.Size]byte]wire.PresentedToken
	epoch uint64 // of the signing keys
}

// find returns the epoch too, which a verification that is needed begins in.
func (p *presented) find(hash *[sha256.Size]byte) (t wire.PresentedToken, epoch uint64, ok bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	t, ok = p.known[*hash]
	return t, p.epoch, ok
}

// remember drops what was verified by the keys of another epoch.
func (p *presented) remember(hash [sha256.Size]byte, t wire.PresentedToken, epoch uint64, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.epoch != epoch {
		return
	}
	if len(p.known) >= maxPresented {
		for other, old := range p.known {
			if !old.Expires.After(now) {
				delete(p.known, other)
			}
		}
	}
	if len(p.known) >= maxPresented || p.known == nil {
		p.known = map[[sha256.Size]byte]wire.PresentedToken{}
	}
	p.known[hash] = t
}

func (p *presented) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known = nil
	p.epoch++
}

// KeysChanged says that signing keys were rotated or withdrawn: what they
// signed is verified anew.
func (s *Server) KeysChanged() { s.presented.forget() }

// bearer returns what follows the Bearer scheme in the client's Authorization
// headers (RFC 6750, 2.1). Other schemes are the application's own.
func bearer(lines []string) (text string, several bool) {
	found := 0
	for _, line := range lines {
		scheme, rest, ok := strings.Cut(line, " ")
		if ok && strings.EqualFold(scheme, "Bearer") {
			found++
			text = strings.TrimLeft(rest, " ")
		}
	}
	return text, found > 1
}

// serves reports whether an address is of the portal's own servers, from which
// tokens may be presented. Nobody else's Bearer header is looked at: it is the
// application's.
func (p *Portal) serves(address netip.Addr) bool {
	address = address.Unmap().WithZone("")
	for _, network := range p.tokenFrom {
		if network.Contains(address) {
			return true
		}
	}
	return false
}

// tokenNetworks prepares Portal.TokenFrom. What cannot be read lets nobody in.
func tokenNetworks(from []string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range from {
		if network, err := netip.ParsePrefix(text); err == nil {
			all = append(all, network)
		}
	}
	return all
}

// byToken has q asked for the session that a presented token names, and returns
// why that is refused, if it is. A token beside a cookie is refused: one of them
// is somebody else's, or the caller does not know whom it speaks for.
func (s *Server) byToken(q *question, r *Request) (refused *wire.Access) {
	if s.Tokens == nil || len(r.Authorization) == 0 || len(r.Portal.tokenFrom) == 0 || !r.Portal.serves(r.Address) {
		return nil
	}
	text, several := bearer(r.Authorization)
	switch {
	case text == "" && !several:
		return nil
	case several || hasCookie(r.Cookies):
		return &s.refusals.both
	}
	hash := tokenDigest(text)
	now := s.Clock()
	token, epoch, known := s.presented.find(&hash)
	if !known {
		var err error
		if token, err = s.Tokens.Verify(text, &r.Portal.Portal); errors.Is(err, wire.ErrTokenBound) {
			return &s.refusals.bound
		} else if err != nil {
			return &s.refusals.token
		}
		s.presented.remember(hash, token, epoch, now)
	}
	if token.Portal != r.Portal.ID || token.Session == "" || !token.Expires.After(now) {
		return &s.refusals.token
	}
	q.Session, q.Address, q.Navigation = token.Session, netip.Addr{}, false
	return nil
}

// tokenDigest is SHA-256 of a token, of one of usual length without a copy on
// the heap.
func tokenDigest(text string) [sha256.Size]byte {
	var buffer [2 << 10]byte
	if len(text) > len(buffer) {
		return sha256.Sum256([]byte(text))
	}
	return sha256.Sum256(buffer[:copy(buffer[:], text)])
}

// hasCookie reports whether a session cookie is there, of whatever form.
func hasCookie(lines []string) bool {
	for _, line := range lines {
		if strings.Contains(line, cookieSession+"=") {
			return true
		}
	}
	return false
}

// refusals are answers that need no session.
type refusals struct{ token, bound, both wire.Access }

func newRefusals() refusals {
	return refusals{
		token: wire.Access{Outcome: wire.AccessSignIn, Reason: reason.New(reason.TokenRefused)},
		bound: wire.Access{Outcome: wire.AccessSignIn, Reason: reason.New(reason.TokenBound)},
		both:  wire.Access{Outcome: wire.AccessRefused, Reason: reason.New(reason.TokenBesideOthers)},
	}
}
