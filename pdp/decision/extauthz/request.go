package extauthz

import (
	"net/netip"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/menshen-zt/menshen/pdp/decision"
)

// maxHeaders bounds a request's headers; Envoy takes 100 by default.
const maxHeaders = 256

// question is a CheckRequest as it was understood.
type question struct {
	decision.Request
	host string
	// headers are the client's, by their names in lower case. Envoy joins those
	// of one name by commas, and the cookies of HTTP/2 by semicolons.
	headers map[string]string
}

// read returns what an authenticated proxy asks, or the name of the attribute
// that is missing or malformed.
func read(in *authv3.CheckRequest, portal *decision.Portal) (q *question, malformed string) {
	http := in.GetAttributes().GetRequest().GetHttp()
	q = &question{host: http.GetHost(), headers: http.GetHeaders()}
	q.Portal, q.Method, q.Target = portal, http.GetMethod(), http.GetPath()
	switch {
	case q.Method == "":
		return q, "attributes.request.http.method"
	case q.Target == "":
		return q, "attributes.request.http.path"
	case q.host == "":
		return q, "attributes.request.http.host"
	case len(q.headers) == 0, len(q.headers) > maxHeaders:
		// Not even the pseudo-headers: they were left out, or lie in header_map.
		return q, "attributes.request.http.headers"
	}
	var ok bool
	if q.Address, ok = address(in.GetAttributes().GetSource().GetAddress()); !ok {
		return q, "attributes.source.address"
	}
	q.Upgrade = q.headers["upgrade"] != "" || q.headers[":protocol"] != ""
	q.Document = decision.WantsDocument(q.headers["sec-fetch-mode"], q.headers["accept"])
	if line := q.headers["cookie"]; line != "" {
		q.Cookies = []string{line}
	}
	if line := q.headers["authorization"]; line != "" {
		q.Authorization = []string{line}
	}
	return q, ""
}

// address returns the client's address as Envoy saw the connection.
func address(a *corev3.Address) (netip.Addr, bool) {
	parsed, err := netip.ParseAddr(a.GetSocketAddress().GetAddress())
	return parsed, err == nil
}

func lower(name string) string { return strings.ToLower(name) }
