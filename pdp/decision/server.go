package decision

import (
	"net/http"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/internal/admission"
	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
)

// complainEvery bounds the log lines about proxies that prove nothing, or say
// what cannot be understood.
const complainEvery = 10 * time.Second

// ServeHTTP answers a portal's proxy.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	portal := s.authenticate(w, r)
	if portal == nil {
		return
	}
	switch r.URL.Path {
	case "/forward-auth":
		s.forwardAuth(w, r, portal)
	case "/forward-auth/relay":
		s.relay(w, r, portal)
	case endedPath:
		s.connectionsEnded(w, r, portal)
	default:
		n := names{headerMethod, headerURI, headerClientIP, ""} // pages are for cookies
		if r.Header[headerMethod] == nil && r.Header[headerURI] == nil {
			n.method, n.target = "", "" // passed on as the client sent it
		}
		q, malformed := s.read(r, portal, n)
		if malformed != "" {
			s.Malformed(w, r, portal, malformed)
			return
		}
		s.onHost(w, r, &q)
	}
}

// authenticate returns the portal that the proxy stands for, or answers.
func (s *Server) authenticate(w http.ResponseWriter, r *http.Request) *Portal {
	secret, ok := one(r.Header, headerSecret)
	if ok {
		if portal, err := s.portals.find(r.Context(), secret); err == nil {
			return portal
		}
	}
	s.Unproven(w, r)
	return nil
}

// challenge is what RFC 9110, 11.6.1, wants in a 401; no browser acts on it.
const challenge = "Menshen"

// route is one address under /.menshen/.
type route struct {
	method string
	answer func(http.ResponseWriter, *http.Request, *question)
}

func (s *Server) table() map[string]route {
	return map[string]route{
		"/.menshen/challenge":  {http.MethodGet, s.challenge},
		"/.menshen/denied":     {http.MethodGet, s.denied},
		"/.menshen/start":      {http.MethodGet, s.byTurns(s.start)},
		"/.menshen/callback":   {http.MethodGet, s.byTurns(s.callback)},
		"/.menshen/sign-out":   {http.MethodPost, s.signOut},
		"/.menshen/signed-out": {http.MethodGet, s.signedOut},
		checkPath:              {http.MethodPost, s.startCheck},
	}
}

// byTurns works on no more sign-ins at once than there is room for: what is too
// much is told to come again, to the page that it wanted.
func (s *Server) byTurns(answer func(http.ResponseWriter, *http.Request, *question)) func(http.ResponseWriter, *http.Request, *question) {
	return func(w http.ResponseWriter, r *http.Request, q *question) {
		leave, ok := s.signIns.Enter(r.Context())
		if !ok {
			s.Pages.Fault(w, r, http.StatusServiceUnavailable, admission.Busy(w.Header()), startPath(returnPath(r.URL.Query().Get("rd")), false))
			return
		}
		defer leave()
		answer(w, r, q)
	}
}

// Shed returns how many sign-ins were told to come again.
func (s *Server) Shed() uint64 { return s.signIns.Shed() }

// onHost answers what lies under /.menshen/ on the portal's host.
func (s *Server) onHost(w http.ResponseWriter, r *http.Request, q *question) {
	h := w.Header()
	plainHeaders(h)
	to, ok := s.routes[r.URL.Path]
	switch {
	case ok:
	case strings.HasPrefix(r.URL.Path, "/.menshen/assets/"):
		s.assets.ServeHTTP(w, r)
		return
	case strings.HasPrefix(r.URL.Path, checkPath+"/"):
		to = route{http.MethodGet, s.followCheck}
	default:
		problem.Write(w, r, http.StatusNotFound, reason.New(reason.NotFound))
		return
	}
	if r.Method != to.method && (r.Method != http.MethodHead || to.method != http.MethodGet) {
		h.Set("Allow", to.method)
		problem.Write(w, r, http.StatusMethodNotAllowed, reason.New(reason.WrongMethod))
		return
	}
	to.answer(w, r, q)
}

// plainHeaders are those of whatever a browser is answered.
func plainHeaders(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
}

// goTo sends the browser on by GET. The address stands as it is: cleaning it
// up, as http.Redirect does, would change what the person asked for.
func goTo(w http.ResponseWriter, address string) {
	w.Header().Set("Location", address)
	w.WriteHeader(http.StatusSeeOther)
}
