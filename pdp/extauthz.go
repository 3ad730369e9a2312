package pdp

import (
	"net"
	"net/http"
	"time"

	"github.com/menshen-zt/menshen/pdp/decision/extauthz"
	"github.com/menshen-zt/menshen/pdp/keyring"
)

// envoyService is the listener for Envoy.
type envoyService struct{ *extauthz.Server }

// envoys asks the same decisions as the proxies' port, under the same names.
func (p *PDP) envoys() envoyService {
	names := keyring.NewServer(p.state.ring.Authority, p.config.Proxies.Names, time.Now)
	p.envoy = extauthz.New(p.proxies, names.Certificate, p.logger.With("part", "extauthz"))
	return envoyService{p.envoy}
}

func (s envoyService) serve(l net.Listener) error {
	if err := s.Serve(l); err != nil {
		return err
	}
	return http.ErrServerClosed // ended by drain
}

func (s envoyService) drain() { s.Drain(drainLimit) }
