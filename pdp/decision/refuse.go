package decision

import (
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Refuse answers the browser itself, for proxies that hand on what they are
// told: to sign in, what is not met, or a problem document for a script. The
// client's request goes no further and is not repeated. r carries the client's
// Cookie, Accept-Language and Referer; nothing else of it is looked at.
func (s *Server) Refuse(w http.ResponseWriter, r *http.Request, request *Request, a *wire.Access) {
	q := s.question(request)
	s.refuse(w, r, &q, a)
}

func (s *Server) refuse(w http.ResponseWriter, r *http.Request, q *question, a *wire.Access) {
	plainHeaders(w.Header())
	shown := r.Clone(r.Context())
	shown.URL.Path, shown.URL.RawPath, shown.URL.RawQuery = "/.menshen/denied", "", "" // where the page stands on the portal's host
	if a.Outcome == wire.AccessSignIn {
		s.challenged(w, shown, q, a)
		return
	}
	s.refused(w, shown, q, a)
}

// Unproven answers a proxy that did not prove a portal.
func (s *Server) Unproven(w http.ResponseWriter, r *http.Request) {
	if s.complains(&s.unproven) {
		s.Logger.Warn("a proxy did not prove a portal", "from", r.RemoteAddr)
	}
	w.Header().Set("WWW-Authenticate", challenge)
	problem.Write(w, r, http.StatusUnauthorized, reason.New(reason.ProxyUnknown))
}

// Malformed answers a proxy of a portal that leaves out what is needed, or
// tells it in a wrong form.
func (s *Server) Malformed(w http.ResponseWriter, r *http.Request, portal *Portal, what string) {
	if s.complains(&s.malformed) { // some proxies can be brought to it by a client
		s.Logger.Error("proxy misconfigured", "portal", portal.ID, "header", what)
	}
	problem.Write(w, r, http.StatusInternalServerError, reason.New(reason.ProxyMalformed, "header", what))
}

// complains reports whether it is time for another line in the log.
func (s *Server) complains(last *atomic.Int64) bool {
	now, before := s.Clock().UnixNano(), last.Load()
	return now-before >= int64(complainEvery) && last.CompareAndSwap(before, now)
}

// Misdirected answers a request for a host that is not the portal's: its
// cookies and its way back would be those of another site (RFC 9110, 15.5.20).
func (s *Server) Misdirected(w http.ResponseWriter, r *http.Request) {
	problem.Write(w, r, http.StatusMisdirectedRequest, reason.New(reason.HostNotPortal))
}

// Serves reports whether a Host header names this portal's own host.
func (p *Portal) Serves(host string) bool {
	return strings.EqualFold(strings.TrimSuffix(host, ":443"), strings.TrimPrefix(p.Origin, "https://"))
}
