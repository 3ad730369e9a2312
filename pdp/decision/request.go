package decision

import (
	"crypto/sha256"
	"net/http"
	"net/netip"
	"strings"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Headers of a portal's proxy, as http.Header spells them. They are read
// directly: the canonical form costs time on every request.
const (
	headerSecret   = "Menshen-Portal-Secret" // #nosec G101 -- a header's name
	headerMethod   = "X-Original-Method"
	headerURI      = "X-Original-Uri"
	headerUpgrade  = "X-Original-Upgrade"
	headerClientIP = "X-Real-Ip"
)

// Cookies on the portal's host. The __Host- prefix keeps other hosts of the
// domain from setting them (RFC 6265bis, 4.1.3.2).
const (
	cookieSession = "__Host-menshen-session"
	cookiePre     = "__Host-menshen-pre"
	cookieSize    = 43 // 256 bits in base64url
)

// question is what the proxy says of the client's request.
type question struct {
	wire.AccessRequest
	method string
	uri    string
	// document says that a browser wants to show the answer as a page.
	document bool
}

// one returns a header that must stand there once, or says that it does not.
func one(h http.Header, name string) (string, bool) {
	values := h[name]
	if len(values) != 1 || values[0] == "" {
		return "", false
	}
	return values[0], true
}

// read returns the question of an authenticated proxy, or the name of the
// header that is missing or malformed.
func read(r *http.Request, portal *wire.Portal) (q question, malformed string) {
	h := r.Header
	var ok bool
	if q.method, ok = one(h, headerMethod); !ok {
		return q, headerMethod
	}
	if q.uri, ok = one(h, headerURI); !ok {
		return q, headerURI
	}
	client, ok := one(h, headerClientIP)
	if !ok {
		return q, headerClientIP
	}
	address, err := netip.ParseAddr(client)
	if err != nil {
		return q, headerClientIP
	}
	upgrade := len(h[headerUpgrade]) > 0 || len(h["Upgrade"]) > 0
	q.Portal, q.Address, q.Action = portal, address, action(q.method, upgrade)
	if value := cookie(h, cookieSession); value != "" {
		q.CookieHash = digest(value)
	}
	q.document = wantsDocument(h)
	q.Navigation = q.document && q.method == http.MethodGet && !upgrade
	return q, ""
}

// action grades a request: GET and HEAD read, the rest writes, an upgrade too
// (design: protocols, Proxy → PDP).
func action(method string, upgrade bool) wire.Action {
	if !upgrade && (method == http.MethodGet || method == http.MethodHead) {
		return wire.ActionRead
	}
	return wire.ActionWrite
}

// wantsDocument follows Fetch Metadata and, for browsers without it, Accept. A
// client that lies about this chooses no more than the form of its refusal.
func wantsDocument(h http.Header) bool {
	if mode := h["Sec-Fetch-Mode"]; len(mode) > 0 && mode[0] != "" {
		return mode[0] == "navigate"
	}
	accept := h["Accept"]
	return len(accept) > 0 && strings.Contains(accept[0], "text/html")
}

// cookie returns the value of a cookie of this package, or nothing where there
// is none that this package could have made. The first one counts: there is no
// second under a __Host- name.
func cookie(h http.Header, name string) string {
	for _, line := range h["Cookie"] {
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
	if value := cookie(h, cookieSession); value != "" {
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
