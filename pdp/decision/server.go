package decision

import (
	"net/http"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// complainEvery bounds the log lines about proxies that prove nothing.
const complainEvery = 10 * time.Second

// ServeHTTP answers a portal's proxy.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	portal := s.authenticate(w, r)
	if portal == nil {
		return
	}
	q, malformed := read(r, portal)
	if malformed != "" {
		s.Logger.Error("proxy misconfigured", "portal", portal.ID, "header", malformed)
		problem.Write(w, r, http.StatusInternalServerError, reason.New(reason.ProxyMalformed, "header", malformed))
		return
	}
	if r.URL.Path == "/forward-auth" {
		s.forwardAuth(w, r, &q)
		return
	}
	s.onHost(w, r, &q)
}

// authenticate returns the portal that the proxy stands for, or answers.
func (s *Server) authenticate(w http.ResponseWriter, r *http.Request) *wire.Portal {
	secret, ok := one(r.Header, headerSecret)
	if ok && len(secret) <= maxSecret {
		if portal, err := s.portals.find(r.Context(), secret); err == nil {
			return portal
		}
	}
	now := s.Clock().UnixNano()
	if last := s.complained.Load(); now-last >= int64(complainEvery) && s.complained.CompareAndSwap(last, now) {
		s.Logger.Warn("a proxy did not prove a portal", "from", r.RemoteAddr)
	}
	w.Header().Set("WWW-Authenticate", challenge)
	problem.Write(w, r, http.StatusUnauthorized, reason.New(reason.ProxyUnknown))
	return nil
}

// challenge is what RFC 9110, 11.6.1, wants in a 401; no browser acts on it.
const challenge = "Menshen"

// onHost answers what lies under /.menshen/ on the portal's host.
func (s *Server) onHost(w http.ResponseWriter, r *http.Request, q *question) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	path := r.URL.Path
	var allow string
	switch path {
	case "/.menshen/challenge", "/.menshen/denied", "/.menshen/start", "/.menshen/callback", "/.menshen/signed-out":
		allow = "GET, HEAD"
	case "/.menshen/sign-out":
		allow = "POST"
	case "/.menshen/check":
		allow = "GET, POST"
	default:
		if strings.HasPrefix(path, "/.menshen/assets/") {
			s.assets.ServeHTTP(w, r)
			return
		}
		problem.Write(w, r, http.StatusNotFound, reason.New(reason.NotFound))
		return
	}
	if !strings.Contains(allow, r.Method) {
		h.Set("Allow", allow)
		problem.Write(w, r, http.StatusMethodNotAllowed, reason.New(reason.WrongMethod))
		return
	}
	switch path {
	case "/.menshen/challenge":
		s.challenge(w, r, q)
	case "/.menshen/denied":
		s.denied(w, r, q)
	case "/.menshen/start":
		s.start(w, r, q)
	case "/.menshen/callback":
		s.callback(w, r, q)
	case "/.menshen/sign-out":
		s.signOut(w, r, q)
	case "/.menshen/signed-out":
		s.Pages.SignedOut(w, r, *q.Portal, startPath("/"))
	case "/.menshen/check":
		s.check(w, r, q)
	}
}

// goTo sends the browser on by GET. The address stands as it is: cleaning it
// up, as http.Redirect does, would change what the person asked for.
func goTo(w http.ResponseWriter, address string) {
	w.Header().Set("Location", address)
	w.WriteHeader(http.StatusSeeOther)
}
