package decision

import (
	"context"
	"crypto/sha256"
	"net/http"
	"net/netip"
	"strings"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Headers of a portal's proxy, as http.Header spells them. They are read
// directly: the canonical form costs time on every request.
const (
	headerSecret        = "Menshen-Portal-Secret" // #nosec G101 -- a header's name
	headerMethod        = "X-Original-Method"
	headerURI           = "X-Original-Uri"
	headerUpgrade       = "X-Original-Upgrade"
	headerClientIP      = "X-Real-Ip"
	headerAuthorization = "Authorization"
	// headerConnection is the proxy's own name of the client's connection.
	headerConnection = "X-Menshen-Connection"
)

// Cookies on the portal's host. The __Host- prefix keeps other hosts of the
// domain from setting them (RFC 6265bis, 4.1.3.2).
const (
	cookieSession = "__Host-menshen-session"
	cookiePre     = "__Host-menshen-pre"
	cookieSize    = 43 // 256 bits in base64url
)

// Request is what a portal's proxy says of its client's request, in whatever
// protocol it says so. Portal comes from the proxy's own proof.
type Request struct {
	Portal *Portal
	// Method and Target are the client's, as it wrote them.
	Method, Target string
	Address        netip.Addr
	// Upgrade says that the client asks for another protocol, such as WebSocket.
	Upgrade bool
	// Cookies are the client's Cookie headers.
	Cookies []string
	// Authorization are the client's Authorization headers.
	Authorization []string
	// Connection is the proxy's own name of the client's connection: up to 128
	// bytes of visible ASCII, empty if the proxy cannot cut connections.
	Connection string
	// Document says that a browser wants to show the answer as a page.
	Document bool
}

// Authorize answers whether the client's request may pass.
func (s *Server) Authorize(ctx context.Context, r *Request) wire.Access {
	q := s.question(r)
	return s.pass(ctx, &q)
}

// pass answers a request, and notes an upgrade that it lets through.
func (s *Server) pass(ctx context.Context, q *question) wire.Access {
	a := s.authorize(ctx, q)
	if q.upgrade && a.Outcome == wire.AccessGranted {
		s.connections.opened(q, a.Session)
	}
	return a
}

// question is a Request as the sessions are asked about it.
type question struct {
	wire.AccessRequest
	routes   *Routes
	proof    [sha256.Size]byte // of the portal
	reading  Reading
	method   string
	uri      string
	document bool
	// refused is the answer to what is presented, whatever is asked for; nil if
	// the sessions are to say.
	refused *wire.Access
	// upgrade and connection are of a connection that is to outlive the request.
	upgrade    bool
	connection string
}

func (s *Server) question(r *Request) question {
	q := question{routes: r.Portal.routes, proof: r.Portal.proof, method: r.Method, uri: r.Target, document: r.Document, upgrade: r.Upgrade, connection: r.Connection}
	q.Portal, q.Address = &r.Portal.Portal, r.Address
	if value := cookie(r.Cookies, cookieSession); value != "" {
		q.CookieHash = digest(value)
	}
	q.Navigation = r.Document && r.Method == http.MethodGet && !r.Upgrade
	q.refused = s.byToken(&q, r)
	q.ask(q.routes.Read(r.Method, r.Target, r.Upgrade))
	return q
}

// ask has q judged as a reading says.
func (q *question) ask(r Reading) {
	q.reading, q.Action, q.Class = r, r.Action, r.classes[0]
}

// authorize asks the sessions once for each class that the request may be of.
// The first that is not allowed is the answer.
func (s *Server) authorize(ctx context.Context, q *question) wire.Access {
	if q.refused != nil {
		return *q.refused
	}
	a := wire.Access{Outcome: wire.AccessRefused, Reason: s.unreadable}
	for i := range q.reading.n {
		q.Class = q.reading.classes[i]
		if a = s.Sessions.Authorize(ctx, q.AccessRequest); a.Outcome != wire.AccessGranted {
			break
		}
	}
	return a
}

// peek returns what authorize last answered, if that is still known.
func (s *Server) peek(q *question) (a wire.Access, known bool) {
	if q.refused != nil {
		return *q.refused, true
	}
	for i := range q.reading.n {
		q.Class = q.reading.classes[i]
		if a, known = s.Sessions.Peek(q.AccessRequest); !known || a.Outcome != wire.AccessGranted {
			break
		}
	}
	return a, known
}

// one returns a header that must stand there once, or says that it does not.
func one(h http.Header, name string) (string, bool) {
	values := h[name]
	if len(values) != 1 || values[0] == "" {
		return "", false
	}
	return values[0], true
}

// names are the headers in which a proxy tells of its client's request. Without
// those of method and target, the proxy's request is the client's.
type names struct{ method, target, clientIP, authorization string }

// read returns the question of an authenticated proxy, or the name of the
// header that is missing or malformed.
func (s *Server) read(r *http.Request, portal *Portal, n names) (q question, malformed string) {
	h := r.Header
	request := Request{Portal: portal, Authorization: h[n.authorization], Cookies: h["Cookie"], Document: WantsDocument(first(h, "Sec-Fetch-Mode"), first(h, "Accept"))}
	var ok bool
	if n.method == "" {
		request.Method, request.Target = r.Method, r.RequestURI
	} else if request.Method, ok = one(h, n.method); !ok {
		return q, n.method
	} else if request.Target, ok = one(h, n.target); !ok {
		return q, n.target
	}
	client, ok := one(h, n.clientIP)
	if !ok {
		return q, n.clientIP
	}
	var err error
	if request.Address, err = netip.ParseAddr(client); err != nil {
		return q, n.clientIP
	}
	if names := h[headerConnection]; len(names) > 0 {
		if request.Connection = names[0]; len(names) > 1 || !validConnection(names[0]) {
			return q, headerConnection
		}
	}
	request.Upgrade = said(h, headerUpgrade) || said(h, "Upgrade")
	return s.question(&request), ""
}

// said reports whether any of a header's values says something: a proxy that
// fills in a template sends an empty one where its client sent none.
func said(h http.Header, name string) bool {
	for _, value := range h[name] {
		if value != "" {
			return true
		}
	}
	return false
}

func first(h http.Header, name string) string {
	if values := h[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// action grades a request: GET and HEAD read, the rest writes, an upgrade too
// (design: protocols, Proxy → PDP).
func action(method string, upgrade bool) wire.Action {
	if !upgrade && (method == http.MethodGet || method == http.MethodHead) {
		return wire.ActionRead
	}
	return wire.ActionWrite
}

// WantsDocument reports whether a browser wants to show the answer as a page.
// It follows Fetch Metadata (Sec-Fetch-Mode) and, for browsers without it,
// Accept. A client that lies about this chooses no more than the form of its
// refusal.
func WantsDocument(fetchMode, accept string) bool {
	if fetchMode != "" {
		return fetchMode == "navigate"
	}
	return strings.Contains(accept, "text/html")
}

// cookie returns the value of a cookie of this package, or nothing where there
// is none that this package could have made. The first one counts: there is no
// second under a __Host- name.
func cookie(lines []string, name string) string {
	for _, line := range lines {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			key, value, ok := strings.Cut(strings.TrimLeft(pair, " "), "=")
			if !ok || key != name {
				continue
			}
			if len(value) != cookieSize || !base64URL(value) {
				return ""
			}
			return value
		}
	}
	return ""
}

func base64URL(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

// cookieDigest returns the digest of the session cookie; without one, the zero
// digest, which no cookie has.
func cookieDigest(h http.Header) (d [sha256.Size]byte) {
	if value := cookie(h["Cookie"], cookieSession); value != "" {
		d = digest(value)
	}
	return d
}

// ownOrigin reports whether a request that changes something comes from the
// portal's own pages. Browsers put Sec-Fetch-Site or Origin on every POST and
// no script can forge them; a page's referrer policy can make Origin "null".
func ownOrigin(h http.Header, portal *wire.Portal) bool {
	site, origin := h.Get("Sec-Fetch-Site"), h.Get("Origin")
	if site != "" && site != "same-origin" {
		return false
	}
	return origin == portal.Origin || (site != "" && (origin == "" || origin == "null"))
}
