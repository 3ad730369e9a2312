package proxies

import (
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
)

// TestEnvoy holds the shipped configuration and the port for Envoy against the
// suite. Envoy itself is played (player): what its parsers do with bytes that
// are no HTTP is not tried here.
func TestEnvoy(t *testing.T) {
	t.Parallel()
	pass(t, proxy{name: "envoy", grpc: true, tidies: true, start: startEnvoy, except: []string{
		"splits no message", "smuggles nothing", "HTTP/2 opens no back door", // net/http's parsers, not Envoy's
		"is closed on nonsense", "is closed on an endless header", // answers of HTTP, where Envoy asks by gRPC: extauthz's own tests
	}})
}

func startEnvoy(t *testing.T, s site) {
	t.Helper()
	configure(t, shipped("envoy"), s.dir, map[string]string{
		"/etc/menshen/unavailable/":                       unavailable(t),
		"/etc/menshen/pdp-ca.pem":                         s.ca,
		"/etc/ssl/portal/fullchain.pem":                   s.certificate,
		"/etc/ssl/portal/key.pem":                         s.key,
		"{address: 127.0.0.1, port_value: 8080}":          at(s.application),
		"{address: 127.0.0.1, port_value: 8445}":          at(s.pdp),
		"{address: 127.0.0.1, port_value: 8447}":          at(s.grpc),
		"{address: 0.0.0.0, port_value: 443}":             at(s.address),
		"timeout: 10s":                                    "timeout: " + s.patience.String(),
		"REPLACE-WITH-THE-SECRET-THAT-MENSHENCTL-PRINTED": s.secret,
	})
	play(t, envoyConfig(t, filepath.Join(s.dir, "envoy.yaml")))
}

func at(address string) string {
	host, port, _ := net.SplitHostPort(address)
	return "{address: " + host + ", port_value: " + port + "}"
}

func portText(port uint32) string { return strconv.FormatUint(uint64(port), 10) }

func portNumber(text string) uint32 {
	port, _ := strconv.ParseUint(text, 10, 16)
	return uint32(port)
}

// fits reports whether a filter takes a local reply; of those that the shipped
// configuration has.
func fits(f *accesslogv3.AccessLogFilter, s *stream, status int) bool {
	one := func(f *accesslogv3.AccessLogFilter) bool { return fits(f, s, status) }
	switch {
	case f.GetAndFilter() != nil:
		return !slices.ContainsFunc(f.GetAndFilter().GetFilters(), func(f *accesslogv3.AccessLogFilter) bool { return !one(f) })
	case f.GetOrFilter() != nil:
		return slices.ContainsFunc(f.GetOrFilter().GetFilters(), one)
	case f.GetStatusCodeFilter() != nil:
		return status == int(f.GetStatusCodeFilter().GetComparison().GetValue().GetDefaultValue())
	case f.GetResponseFlagFilter() != nil:
		return slices.ContainsFunc(f.GetResponseFlagFilter().GetFlags(), func(flag string) bool { return slices.Contains(s.flags, flag) })
	case f.GetHeaderFilter() != nil:
		h := f.GetHeaderFilter().GetHeader()
		values := s.headers[h.GetName()]
		if h.GetName() == ":path" {
			values = []string{s.path}
		}
		text := strings.Join(values, ",")
		switch m := h.GetStringMatch(); {
		case h.GetPresentMatch():
			return len(values) > 0
		case m.GetExact() != "":
			return (len(values) > 0 && text == m.GetExact()) != h.GetInvertMatch()
		default:
			return strings.HasPrefix(text, m.GetPrefix())
		}
	default:
		return false
	}
}
