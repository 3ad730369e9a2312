package decision

import (
	"net/http"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Headers in which Traefik and Caddy tell of their client's request. They set
// them themselves; a client's own are overwritten there.
const (
	forwardedMethod   = "X-Forwarded-Method"
	forwardedURI      = "X-Forwarded-Uri"
	forwardedHost     = "X-Forwarded-Host"
	forwardedClientIP = "X-Forwarded-For"
)

// relay is forward-auth for proxies that hand whatever is not 200 on to the
// browser. So nothing but a 200 carries identity headers, and nothing but a
// 200 carries a reason that is for the proxy alone.
func (s *Server) relay(w http.ResponseWriter, r *http.Request, portal *Portal) {
	if host, ok := one(r.Header, forwardedHost); !ok {
		s.Malformed(w, r, portal, forwardedHost)
		return
	} else if !portal.Serves(host) {
		s.Misdirected(w, r)
		return
	}
	q, malformed := s.read(r, portal, names{forwardedMethod, forwardedURI, forwardedClientIP, headerAuthorization})
	if malformed != "" {
		s.Malformed(w, r, portal, malformed)
		return
	}
	a := s.pass(r.Context(), &q)
	if a.Outcome != wire.AccessGranted {
		s.refuse(w, r, &q, &a)
		return
	}
	setAnswer(w.Header(), &a)
	// For a proxy that can replace a header by an answer's and not change it.
	if rest := ApplicationCookies(r.Header["Cookie"]); rest != "" {
		w.Header()["Cookie"] = []string{rest}
	}
	w.WriteHeader(http.StatusOK)
}
