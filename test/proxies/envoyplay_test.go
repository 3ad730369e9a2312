package proxies

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	authzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
)

// player does what Envoy's documentation says that Envoy does with its
// configuration, as far as the shipped one goes: virtual host and route, the
// question of ext_authz, the mutations of its answer, local replies, headers
// to add and to remove. Envoy's own parsers are not played: net/http reads.
type player struct {
	t        *testing.T
	hcm      *hcmv3.HttpConnectionManager
	authz    *authzv3.ExtAuthz
	clusters map[string]upstream
	check    authv3.AuthorizationClient
}

// upstream is a cluster: where it is and how it is spoken to.
type upstream struct {
	address string
	tls     *tls.Config
	http    *http.Transport
}

// play runs the listener "portal" of a configuration.
func play(t *testing.T, config *bootstrapv3.Bootstrap) {
	t.Helper()
	p := &player{t: t, clusters: map[string]upstream{}}
	for _, c := range config.GetStaticResources().GetClusters() {
		at := c.GetLoadAssignment().GetEndpoints()[0].GetLbEndpoints()[0].GetEndpoint().GetAddress()
		u := upstream{address: socketAddress(at)}
		if c.GetTransportSocket() != nil {
			u.tls = trusting(t, c.GetTransportSocket().GetTypedConfig())
		}
		u.http = &http.Transport{TLSClientConfig: u.tls, DisableCompression: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: c.GetConnectTimeout().AsDuration()}).DialContext(ctx, "tcp", u.address)
		}}
		t.Cleanup(u.http.CloseIdleConnections)
		p.clusters[c.GetName()] = u
	}
	for _, l := range config.GetStaticResources().GetListeners() {
		if l.GetName() == "portal" {
			chain := l.GetFilterChains()[0]
			p.hcm = unpack[*hcmv3.HttpConnectionManager](t, chain.GetFilters()[0].GetTypedConfig())
			p.authz = unpack[*authzv3.ExtAuthz](t, p.hcm.GetHttpFilters()[0].GetTypedConfig())
			p.listen(socketAddress(l.GetAddress()), unpack[*tlsv3.DownstreamTlsContext](t, chain.GetTransportSocket().GetTypedConfig()))
		}
	}
}

func unpack[M proto.Message](t *testing.T, packed *anypb.Any) M {
	t.Helper()
	inner, err := packed.UnmarshalNew()
	check(t, err)
	return inner.(M)
}

func socketAddress(a *corev3.Address) string {
	s := a.GetSocketAddress()
	return net.JoinHostPort(s.GetAddress(), portText(s.GetPortValue()))
}

// trusting is a cluster's UpstreamTlsContext.
func trusting(t *testing.T, packed *anypb.Any) *tls.Config {
	t.Helper()
	c := unpack[*tlsv3.UpstreamTlsContext](t, packed)
	validation := c.GetCommonTlsContext().GetValidationContext()
	raw, err := os.ReadFile(validation.GetTrustedCa().GetFilename())
	check(t, err)
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(raw) || validation.GetMatchTypedSubjectAltNames()[0].GetMatcher().GetExact() != c.GetSni() {
		t.Fatal("the PDP's certificate is not looked at:", validation)
	}
	return &tls.Config{RootCAs: roots, ServerName: c.GetSni(), MinVersion: tls.VersionTLS13}
}

func (p *player) listen(address string, downstream *tlsv3.DownstreamTlsContext) {
	p.t.Helper()
	asked := p.clusters[p.authz.GetGrpcService().GetEnvoyGrpc().GetClusterName()]
	conn, err := grpc.NewClient("passthrough:///"+asked.address, grpc.WithTransportCredentials(credentials.NewTLS(asked.tls)))
	check(p.t, err)
	p.check = authv3.NewAuthorizationClient(conn)
	files := downstream.GetCommonTlsContext().GetTlsCertificates()[0]
	pair, err := tls.LoadX509KeyPair(files.GetCertificateChain().GetFilename(), files.GetPrivateKey().GetFilename())
	check(p.t, err)
	listener, err := net.Listen("tcp", address)
	check(p.t, err)
	s := &http.Server{Handler: p, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // of what net/http refuses
		TLSConfig:      &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: downstream.GetCommonTlsContext().GetAlpnProtocols()},
		MaxHeaderBytes: 60 << 10, ReadHeaderTimeout: p.hcm.GetRequestHeadersTimeout().AsDuration()} // 60 KiB: Envoy's default
	served := make(chan error)
	go func() { served <- s.ServeTLS(listener, "", "") }()
	p.t.Cleanup(func() {
		check(p.t, s.Close())
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			p.t.Error(err)
		}
		check(p.t, conn.Close())
	})
}

// stream is one request on its way through the filters.
type stream struct {
	w       http.ResponseWriter
	r       *http.Request
	method  string
	path    string
	host    string
	headers map[string][]string // by their names in lower case
	upgrade string
	flags   []string // response flags, as access logs name them
}

// ServeHTTP takes a request through the connection manager.
func (p *player) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := &stream{w: w, r: r, method: r.Method, path: r.RequestURI, host: r.Host, headers: map[string][]string{}}
	if strings.HasPrefix(s.path, "https://") { // the absolute form
		_, s.path, _ = strings.Cut(strings.TrimPrefix(s.path, "https://"), "/")
		s.path = "/" + s.path
	}
	for name, values := range r.Header {
		if !strings.Contains(name, "_") || p.hcm.GetCommonHttpProtocolOptions().GetHeadersWithUnderscoresAction() == corev3.HttpProtocolOptions_ALLOW {
			s.headers[strings.ToLower(name)] = values
		}
	}
	s.upgrade = strings.ToLower(strings.Join(s.headers["upgrade"], ","))
	if s.upgrade == "h2c" || !strings.Contains(strings.ToLower(strings.Join(s.headers["connection"], ",")), "upgrade") {
		s.upgrade = ""
		delete(s.headers, "upgrade")
	}
	for _, name := range []string{"connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "http2-settings", "trailer"} {
		delete(s.headers, name)
	}
	if !strings.HasPrefix(s.path, "/") || strings.Contains(s.path, "#") || s.method == http.MethodConnect {
		p.reply(s, http.StatusBadRequest, nil, "")
		return
	}
	s.path = tidied(s.path, p.hcm)
	if p.hcm.GetUseRemoteAddress().GetValue() {
		s.headers["x-forwarded-for"] = append(s.headers["x-forwarded-for"], s.client())
		s.headers["x-forwarded-proto"] = []string{"https"}
	}
	host, route := p.route(s)
	switch {
	case route == nil:
		p.reply(s, http.StatusNotFound, nil, "")
	case s.upgrade != "" && !slices.ContainsFunc(route.GetRoute().GetUpgradeConfigs(), func(u *routev3.RouteAction_UpgradeConfig) bool {
		return strings.EqualFold(u.GetUpgradeType(), s.upgrade)
	}):
		p.reply(s, http.StatusForbidden, nil, "")
	case p.authorized(s, route):
		p.forward(s, host, route)
	}
}

func (s *stream) client() string {
	address, _, _ := net.SplitHostPort(s.r.RemoteAddr)
	return address
}

// tidied is a path after the connection manager's normalization.
func tidied(target string, hcm *hcmv3.HttpConnectionManager) string {
	path, query, asked := strings.Cut(target, "?")
	if hcm.GetMergeSlashes() {
		for strings.Contains(path, "//") {
			path = strings.ReplaceAll(path, "//", "/")
		}
	}
	if hcm.GetNormalizePath().GetValue() {
		var kept []string
		parts := strings.Split(strings.ReplaceAll(path, `\`, "/"), "/")[1:]
		for i, part := range parts {
			switch dots := strings.ReplaceAll(strings.ToLower(part), "%2e", "."); {
			case dots == "." || dots == "..":
				if dots == ".." && len(kept) > 0 {
					kept = kept[:len(kept)-1]
				}
				if i == len(parts)-1 {
					kept = append(kept, "")
				}
			default:
				kept = append(kept, part)
			}
		}
		path = "/" + strings.Join(kept, "/")
	}
	if asked {
		path += "?" + query
	}
	return path
}

// route finds the virtual host and the first route that fits.
func (p *player) route(s *stream) (*routev3.VirtualHost, *routev3.Route) {
	for _, host := range p.hcm.GetRouteConfig().GetVirtualHosts() {
		if !slices.ContainsFunc(host.GetDomains(), func(domain string) bool { return strings.EqualFold(domain, s.host) }) {
			continue
		}
		for _, route := range host.GetRoutes() {
			fits := strings.HasPrefix(s.path, route.GetMatch().GetPrefix())
			for _, h := range route.GetMatch().GetHeaders() {
				fits = fits && (len(s.headers[h.GetName()]) > 0) == h.GetPresentMatch()
			}
			if fits {
				return host, route
			}
		}
	}
	return nil, nil
}

// authorized asks, applies the answer, and replies if it was no.
func (p *player) authorized(s *stream, route *routev3.Route) bool {
	if packed := route.GetTypedPerFilterConfig()[p.hcm.GetHttpFilters()[0].GetName()]; packed != nil &&
		unpack[*authzv3.ExtAuthzPerRoute](p.t, packed).GetDisabled() {
		return true
	}
	ctx, cancel := context.WithTimeout(s.r.Context(), p.authz.GetGrpcService().GetTimeout().AsDuration())
	defer cancel()
	for _, m := range p.authz.GetGrpcService().GetInitialMetadata() {
		ctx = metadata.AppendToOutgoingContext(ctx, m.GetKey(), m.GetValue())
	}
	answer, err := p.check.Check(ctx, s.question())
	if err == nil && codes.Code(answer.GetStatus().GetCode()) == codes.OK {
		ok := answer.GetOkResponse()
		for _, option := range ok.GetHeaders() {
			mutate(s.headers, option)
		}
		for _, name := range ok.GetHeadersToRemove() {
			if !strings.HasPrefix(name, ":") && name != "host" {
				delete(s.headers, strings.ToLower(name))
			}
		}
		return true
	}
	s.flags = append(s.flags, "UAEX")
	if err != nil {
		if p.authz.GetFailureModeAllow() {
			return true
		}
		p.reply(s, int(p.authz.GetStatusOnError().GetCode()), nil, "")
		return false
	}
	status := http.StatusForbidden
	if code := answer.GetDeniedResponse().GetStatus().GetCode(); code != 0 {
		status = int(code)
	}
	p.reply(s, status, answer.GetDeniedResponse().GetHeaders(), answer.GetDeniedResponse().GetBody())
	return false
}

// question is the CheckRequest that ext_authz makes.
func (s *stream) question() *authv3.CheckRequest {
	headers := map[string]string{":method": s.method, ":path": s.path, ":authority": s.host, ":scheme": "https"}
	for name, values := range s.headers {
		headers[name] = strings.ToValidUTF8(strings.Join(values, ","), "!")
	}
	address, port, _ := net.SplitHostPort(s.r.RemoteAddr)
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source: &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{Address: address,
			PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: portNumber(port)}}}}},
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{Method: s.method, Path: strings.ToValidUTF8(s.path, "!"), Host: s.host, Scheme: "https", Headers: headers}},
	}}
}

// mutate applies a HeaderValueOption; without an action it appends, and one of
// ext_authz that says append instead is told apart (config.core.v3).
func mutate(h map[string][]string, option *corev3.HeaderValueOption) {
	name, value := strings.ToLower(option.GetHeader().GetKey()), option.GetHeader().GetValue()
	switch option.GetAppendAction() {
	case corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD:
		h[name] = []string{value}
	case corev3.HeaderValueOption_OVERWRITE_IF_EXISTS:
		if len(h[name]) > 0 {
			h[name] = []string{value}
		}
	case corev3.HeaderValueOption_ADD_IF_ABSENT:
		if len(h[name]) == 0 {
			h[name] = []string{value}
		}
	default:
		h[name] = append(h[name], value)
	}
}

// forward is the router filter.
func (p *player) forward(s *stream, host *routev3.VirtualHost, route *routev3.Route) {
	for _, list := range [][]string{route.GetRequestHeadersToRemove(), host.GetRequestHeadersToRemove(), p.hcm.GetRouteConfig().GetRequestHeadersToRemove()} {
		for _, name := range list {
			delete(s.headers, strings.ToLower(name))
		}
	}
	for _, list := range [][]*corev3.HeaderValueOption{route.GetRequestHeadersToAdd(), host.GetRequestHeadersToAdd(), p.hcm.GetRouteConfig().GetRequestHeadersToAdd()} {
		for _, option := range list {
			mutate(s.headers, &corev3.HeaderValueOption{AppendAction: option.GetAppendAction(),
				Header: &corev3.HeaderValue{Key: option.GetHeader().GetKey(), Value: s.filled(option.GetHeader().GetValue())}})
		}
	}
	to := p.clusters[route.GetRoute().GetCluster()]
	ctx := s.r.Context()
	for _, limit := range []*durationpb.Duration{route.GetRoute().GetTimeout(), route.GetRoute().GetMaxStreamDuration().GetMaxStreamDuration()} {
		if d := limit.AsDuration(); d > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, d)
			defer cancel()
		}
	}
	onward := httputil.ReverseProxy{
		Transport: to.http,
		ErrorLog:  slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL = &url.URL{Scheme: "http", Host: to.address, Opaque: s.path}
			if to.tls != nil {
				r.Out.URL.Scheme = "https"
			}
			r.Out.Host, r.Out.Header = s.host, http.Header{"User-Agent": nil}
			for name, values := range s.headers {
				r.Out.Header[http.CanonicalHeaderKey(name)] = values
			}
			if s.upgrade != "" {
				r.Out.Header["Connection"] = []string{"Upgrade"}
			}
		},
		ModifyResponse: func(r *http.Response) error {
			for _, option := range host.GetResponseHeadersToAdd() {
				r.Header.Set(option.GetHeader().GetKey(), option.GetHeader().GetValue())
			}
			return nil
		},
		ErrorHandler: func(_ http.ResponseWriter, _ *http.Request, err error) {
			if errors.Is(err, context.DeadlineExceeded) {
				p.reply(s, http.StatusGatewayTimeout, nil, "")
				return
			}
			p.reply(s, http.StatusServiceUnavailable, nil, "")
		},
	}
	onward.ServeHTTP(s.w, s.r.WithContext(ctx))
}

// filled puts a stream's values into a format string.
func (s *stream) filled(format string) string {
	return strings.NewReplacer("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", s.client(), "%REQ(:AUTHORITY)%", s.host, "%REQ(:METHOD)%", s.method, "%REQ(:PATH)%", s.path).Replace(format)
}

// reply is a local reply, through the first mapper that fits.
func (p *player) reply(s *stream, status int, headers []*corev3.HeaderValueOption, body string) {
	h := map[string][]string{"content-type": {"text/plain"}}
	if body == "" {
		delete(h, "content-type")
	}
	for _, option := range headers { // what is asked for stands in the place of Envoy's own
		delete(h, strings.ToLower(option.GetHeader().GetKey()))
	}
	for _, option := range headers {
		mutate(h, option)
	}
	for _, mapper := range p.hcm.GetLocalReplyConfig().GetMappers() {
		if !fits(mapper.GetFilter(), s, status) {
			continue
		}
		status = int(mapper.GetStatusCode().GetValue())
		text, err := os.ReadFile(mapper.GetBodyFormatOverride().GetTextFormatSource().GetFilename())
		if err != nil || bytes.ContainsRune(text, '%') {
			p.t.Error("no text to reply with:", err)
		}
		body = string(text)
		h["content-type"] = []string{mapper.GetBodyFormatOverride().GetContentType()}
		for _, option := range mapper.GetHeadersToAdd() {
			mutate(h, option)
		}
		break
	}
	for name, values := range h {
		s.w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	s.w.WriteHeader(status)
	_, _ = s.w.Write([]byte(body))
}
