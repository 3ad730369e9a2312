package decision

import (
	"context"
	"crypto/sha256"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Portal is a portal that its proxy has proven, with its routes prepared. It
// does not change.
type Portal struct {
	wire.Portal
	routes    *Routes
	tokenFrom []netip.Prefix
	// proof is the digest of the secret that it was proven by.
	proof [sha256.Size]byte
}

// Portal returns the portal of a proxy's bearer secret, which the caller must
// not change.
func (s *Server) Portal(ctx context.Context, secret string) (*Portal, error) {
	return s.portals.find(ctx, secret)
}

// portals remembers the portals that have proven themselves, so that a request
// costs one digest and one look-up. Who does not know a secret learns nothing
// from how long a look-up by its digest takes. What is unknown is not
// remembered: the map holds no more than there are portals.
type portals struct {
	source Portals
	known  atomic.Pointer[map[[sha256.Size]byte]*Portal]

	mu    sync.Mutex
	epoch uint64
}

// find returns the portal of a secret, which the caller must not change.
func (p *portals) find(ctx context.Context, secret string) (*Portal, error) {
	return p.proven(ctx, digest(secret))
}

// proven returns the portal as it is now of a secret with this digest.
func (p *portals) proven(ctx context.Context, hash [sha256.Size]byte) (*Portal, error) {
	if known := p.known.Load(); known != nil {
		if portal := (*known)[hash]; portal != nil {
			return portal, nil
		}
	}
	p.mu.Lock()
	epoch := p.epoch
	p.mu.Unlock()
	found, err := p.source.PortalBySecret(ctx, hash)
	if err != nil {
		return nil, err
	}
	portal := &Portal{Portal: found, routes: NewRoutes(found.Routes), tokenFrom: tokenNetworks(found.TokenFrom), proof: hash}
	p.remember(hash, portal, epoch)
	return portal, nil
}

// remember drops what was read before a change.
func (p *portals) remember(hash [sha256.Size]byte, portal *Portal, epoch uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.epoch != epoch {
		return
	}
	next := map[[sha256.Size]byte]*Portal{hash: portal}
	if known := p.known.Load(); known != nil {
		for h, other := range *known {
			next[h] = other
		}
	}
	p.known.Store(&next)
}

func (p *portals) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.epoch++
	p.known.Store(nil)
}

// digest is SHA-256 of a text, of a short one without a copy on the heap.
func digest(text string) [sha256.Size]byte {
	var buffer [64]byte
	if len(text) > len(buffer) {
		return sha256.Sum256([]byte(text))
	}
	return sha256.Sum256(buffer[:copy(buffer[:], text)])
}
