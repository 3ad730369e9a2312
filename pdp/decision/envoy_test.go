package decision_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/decision/extauthz"
	"github.com/menshen-zt/menshen/pdp/session"
)

// envoy is the port for Envoy over a real connection.
type envoy struct {
	*world
	server *extauthz.Server
	conn   *grpc.ClientConn
}

func newEnvoy(t testing.TB) *envoy {
	t.Helper()
	e := &envoy{world: newWorld(t)}
	own, roots := certificate()
	e.server = extauthz.New(e.world.server, func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &own, nil }, slog.New(slog.DiscardHandler))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	served := make(chan error)
	go func() { served <- e.server.Serve(listener) }()
	e.conn, err = grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: roots, ServerName: "example.com"})))
	check(t, err)
	t.Cleanup(func() {
		check(t, e.conn.Close())
		e.server.Drain(time.Second)
		check(t, <-served)
	})
	return e
}

// certificate is the one that net/http tests with, for example.com.
func certificate() (own tls.Certificate, roots *x509.CertPool) {
	lender := httptest.NewTLSServer(nil)
	defer lender.Close()
	roots = x509.NewCertPool()
	roots.AddCert(lender.Certificate())
	return lender.TLS.Certificates[0], roots
}

// checkOf is what Envoy sends of a client's request.
func checkOf(original string, header map[string]string) *authv3.CheckRequest {
	method, path, _ := strings.Cut(original, " ")
	headers := map[string]string{":method": method, ":path": path, ":authority": "hr.example.gov.tw", ":scheme": "https"}
	for name, value := range header {
		headers[name] = value
	}
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source: &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
			Address: "192.0.2.10", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 40000}}}}},
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Method: method, Path: path, Host: "hr.example.gov.tw", Scheme: "https", Headers: headers}},
	}}
}

func (e *envoy) check(in *authv3.CheckRequest, secrets ...string) *authv3.CheckResponse {
	e.t.Helper()
	out, err := e.try(in, secrets...)
	check(e.t, err)
	return out
}

func (e *envoy) try(in *authv3.CheckRequest, secrets ...string) (*authv3.CheckResponse, error) {
	ctx := e.t.Context()
	for _, s := range secrets {
		ctx = metadata.AppendToOutgoingContext(ctx, "menshen-portal-secret", s)
	}
	return authv3.NewAuthorizationClient(e.conn).Check(ctx, in)
}

// told reads a denial as the answer that a browser gets of it.
func told(t testing.TB, out *authv3.CheckResponse) *http.Response {
	t.Helper()
	d := out.GetDeniedResponse()
	if codes.Code(out.GetStatus().GetCode()) == codes.OK || d == nil || d.GetStatus().GetCode() < 300 {
		t.Fatalf("not denied: %v", out)
	}
	r := &http.Response{StatusCode: int(d.GetStatus().GetCode()), Header: http.Header{}}
	for _, o := range d.GetHeaders() {
		r.Header.Add(o.GetHeader().GetKey(), o.GetHeader().GetValue())
	}
	return r
}

func TestEnvoyPassesAKnownSession(t *testing.T) {
	e := newEnvoy(t)
	cookie := e.enter()
	out := e.check(checkOf("GET /records", map[string]string{"cookie": "theme=dark; " + cookie + "; a=1", "menshen-subject": "forged"}), secret)
	if codes.Code(out.GetStatus().GetCode()) != codes.OK || out.GetOkResponse() == nil {
		t.Fatal(out)
	}
	set := map[string]string{}
	for _, o := range out.GetOkResponse().GetHeaders() {
		if o.GetAppendAction() != corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD || o.GetAppend() != nil || o.GetHeader().GetValue() == "" { //nolint:staticcheck // that it is not used
			t.Errorf("%v would not overwrite", o)
		}
		set[o.GetHeader().GetKey()] = o.GetHeader().GetValue()
	}
	removed := out.GetOkResponse().GetHeadersToRemove()
	for _, name := range identityHeaders {
		if key := strings.ToLower(name); (set[key] != "") == slices.Contains(removed, key) {
			t.Errorf("%s is neither set nor removed, or both", name)
		}
	}
	if set["menshen-subject"] != "per-1" || set["menshen-access"] != "full" || strings.Count(set["menshen-token"], ".") != 2 || set["cookie"] != "theme=dark; a=1" {
		t.Error(set)
	}
	for _, name := range []string{"x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url", "menshen-reason", "menshen-portal-secret", "forwarded"} {
		if !slices.Contains(removed, name) {
			t.Errorf("%s is not removed", name)
		}
	}
	if out := e.check(checkOf("GET /", map[string]string{"cookie": cookie}), secret); !slices.Contains(out.GetOkResponse().GetHeadersToRemove(), "cookie") {
		t.Error("the session's cookie goes on to the application")
	}
}

// What a person's identity lacks is removed, not left to the client.
func TestEnvoyRemovesWhatIsEmpty(t *testing.T) {
	e := newEnvoy(t)
	cookie := e.enter()
	e.decide(func(s session.Subject, a wire.Action) (wire.Facts, wire.Decision) {
		f, d := e.allow(s, a)
		f.Person.Account, f.Person.Name = "", ""
		return f, d
	})
	out := e.check(checkOf("GET /", map[string]string{"cookie": cookie, "menshen-account": "forged"}), secret)
	if codes.Code(out.GetStatus().GetCode()) != codes.OK {
		t.Fatal(out)
	}
	for _, key := range []string{"menshen-account", "menshen-name"} {
		if !slices.Contains(out.GetOkResponse().GetHeadersToRemove(), key) {
			t.Errorf("%s stays", key)
		}
	}
}

// Nothing but the call's metadata proves a portal.
func TestEnvoyProvesItsPortal(t *testing.T) {
	e := newEnvoy(t)
	cookie := e.enter()
	in := checkOf("GET /", map[string]string{"cookie": cookie, "menshen-portal-secret": secret})
	in.Attributes.ContextExtensions = map[string]string{"menshen-portal-secret": secret}
	for name, secrets := range map[string][]string{"none": nil, "empty": {""}, "wrong": {"wrong"}, "two": {secret, secret}, "two portals": {otherSecret, secret}} {
		if r := told(t, e.check(in, secrets...)); r.StatusCode != http.StatusUnauthorized || r.Header.Get("Location") != "" {
			t.Errorf("%s: %d", name, r.StatusCode)
		}
	}
	// Another portal's proxy opens nothing here, whatever host is asked for.
	if r := told(t, e.check(in, otherSecret)); r.StatusCode != http.StatusMisdirectedRequest {
		t.Error(r.StatusCode)
	}
	in.Attributes.Request.Http.Host = "budget.example.gov.tw"
	if r := told(t, e.check(in, otherSecret)); r.StatusCode != http.StatusUnauthorized {
		t.Error(r.StatusCode)
	}
	if r := told(t, e.check(in, secret)); r.StatusCode != http.StatusMisdirectedRequest {
		t.Error(r.StatusCode)
	}
}

// Each attribute is left out by itself.
func TestEnvoyAsksForEachAttribute(t *testing.T) {
	e := newEnvoy(t)
	cookie := e.enter()
	many := map[string]string{}
	for range 300 {
		many[strings.ToLower(rand.Text())] = "x"
	}
	for what, change := range map[string]func(*authv3.CheckRequest){
		"attributes":                      func(in *authv3.CheckRequest) { in.Attributes = nil },
		"request":                         func(in *authv3.CheckRequest) { in.Attributes.Request = nil },
		"attributes.request.http.method":  func(in *authv3.CheckRequest) { in.Attributes.Request.Http.Method = "" },
		"attributes.request.http.path":    func(in *authv3.CheckRequest) { in.Attributes.Request.Http.Path = "" },
		"attributes.request.http.host":    func(in *authv3.CheckRequest) { in.Attributes.Request.Http.Host = "" },
		"attributes.request.http.headers": func(in *authv3.CheckRequest) { in.Attributes.Request.Http.Headers = nil },
		"raw headers": func(in *authv3.CheckRequest) {
			in.Attributes.Request.Http.Headers = nil
			in.Attributes.Request.Http.HeaderMap = &corev3.HeaderMap{Headers: []*corev3.HeaderValue{{Key: "cookie", RawValue: []byte(cookie)}}}
		},
		"too many headers":          func(in *authv3.CheckRequest) { many["cookie"] = cookie; in.Attributes.Request.Http.Headers = many },
		"attributes.source.address": func(in *authv3.CheckRequest) { in.Attributes.Source = nil },
		"a pipe": func(in *authv3.CheckRequest) {
			in.Attributes.Source.Address.Address = &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: "/run/x"}}
		},
		"no address": func(in *authv3.CheckRequest) {
			in.Attributes.Source.Address.GetSocketAddress().Address = "client.example"
		},
	} {
		in := checkOf("GET /", map[string]string{"cookie": cookie, "accept-language": "en", "x-forwarded-for": "192.0.2.10"})
		change(in)
		out := e.check(in, secret)
		if r := told(t, out); r.StatusCode != http.StatusInternalServerError || !strings.Contains(out.GetDeniedResponse().GetBody(), reason.ProxyMalformed) {
			t.Errorf("%s: %d %s", what, r.StatusCode, out.GetDeniedResponse().GetBody())
		}
	}
	if out := e.check(nil, secret); told(t, out).StatusCode != http.StatusInternalServerError {
		t.Error(out)
	}
}

func TestEnvoyRefusesOversizedCalls(t *testing.T) {
	e := newEnvoy(t)
	cookie := e.enter()
	if _, err := e.try(checkOf("GET /", map[string]string{"cookie": cookie, "x": strings.Repeat("x", 130<<10)}), secret); status.Code(err) != codes.ResourceExhausted {
		t.Error(err)
	}
	ctx := metadata.AppendToOutgoingContext(t.Context(), "menshen-portal-secret", secret, "x", strings.Repeat("x", 20<<10))
	if _, err := authv3.NewAuthorizationClient(e.conn).Check(ctx, checkOf("GET /", map[string]string{"cookie": cookie})); err == nil {
		t.Error("20 KiB of metadata are taken")
	}
	if out := e.check(checkOf("GET /", map[string]string{"cookie": cookie}), secret); codes.Code(out.GetStatus().GetCode()) != codes.OK {
		t.Error(out)
	}
}

func TestEnvoyTellsTheBrowser(t *testing.T) {
	e := newEnvoy(t)
	page := told(t, e.check(checkOf("GET /records?page=2", map[string]string{"sec-fetch-mode": "navigate", "x-forwarded-for": "198.51.100.1"}), secret))
	code, handle := e.signIn(page.Header.Get("Location"))
	if page.StatusCode != http.StatusSeeOther || handle.ReturnPath != "/records?page=2" || handle.Network != wire.NetworkOf(netip.MustParseAddr("192.0.2.10")) {
		t.Fatal(page.StatusCode, handle)
	}
	ended := e.ask(asked{path: "/.menshen/callback?code=" + code, header: map[string]string{"Cookie": cookieOf(t, page, "__Host-menshen-pre")}})
	cookie := cookieOf(t, ended, "__Host-menshen-session")

	out := e.check(checkOf("POST /api", map[string]string{"sec-fetch-mode": "cors", "referer": hr.Origin + "/form"}), secret)
	if r := told(t, out); r.StatusCode != http.StatusUnauthorized || r.Header.Get("Content-Type") != "application/problem+json" ||
		!strings.Contains(out.GetDeniedResponse().GetBody(), `"sign_in":"https://hr.example.gov.tw/.menshen/start?rd=%2Fform"`) {
		t.Error(out)
	}
	out = e.check(checkOf("POST /save", map[string]string{"sec-fetch-mode": "navigate", "referer": hr.Origin + "/form"}), secret)
	if r := told(t, out); r.StatusCode != http.StatusUnauthorized || r.Header.Get("Location") != "" || !strings.Contains(out.GetDeniedResponse().GetBody(), "fault ZT-SES-007") {
		t.Error(out)
	}
	e.decide(e.readsOnly)
	for what, in := range map[string]*authv3.CheckRequest{
		"a form":           checkOf("POST /save", map[string]string{"cookie": cookie, "sec-fetch-mode": "navigate"}),
		"an upgrade":       checkOf("GET /ws", map[string]string{"cookie": cookie, "upgrade": "websocket", "connection": "Upgrade", "sec-fetch-mode": "navigate"}),
		"HTTP/2's upgrade": checkOf("GET /ws", map[string]string{"cookie": cookie, ":protocol": "websocket", "sec-fetch-mode": "navigate"}),
		"a tunnel":         checkOf("CONNECT /ws", map[string]string{"cookie": cookie, "sec-fetch-mode": "navigate"}),
	} {
		out := e.check(in, secret)
		if r := told(t, out); r.StatusCode != http.StatusForbidden || !strings.HasPrefix(out.GetDeniedResponse().GetBody(), "denied ") || r.Header.Get("Menshen-Reason") != "" {
			t.Errorf("%s: %v", what, out)
		}
	}
	if out := e.check(checkOf("GET /", map[string]string{"cookie": cookie}), secret); codes.Code(out.GetStatus().GetCode()) != codes.OK {
		t.Error(out)
	}
}

// The address is where the connection is from. A session that moved to another
// network is not known there, whatever a header says.
func TestEnvoysClientsCannotNameTheirAddress(t *testing.T) {
	e := newEnvoy(t)
	cookie := e.enter()
	in := checkOf("GET /", map[string]string{"cookie": cookie, "sec-fetch-mode": "cors", "x-forwarded-for": "192.0.2.10", "x-real-ip": "192.0.2.10", "x-envoy-external-address": "192.0.2.10"})
	in.Attributes.Source.Address.GetSocketAddress().Address = "198.51.100.7"
	if r := told(t, e.check(in, secret)); r.StatusCode != http.StatusUnauthorized {
		t.Error(r.StatusCode)
	}
}

func TestEnvoyIsToldNothingThatIsNotRecorded(t *testing.T) {
	e := newEnvoy(t)
	cookie := e.enter()
	e.set(func() { e.logErr = context.DeadlineExceeded })
	e.sessions.PolicyChanged()
	if r := told(t, e.check(checkOf("GET /", map[string]string{"cookie": cookie}), secret)); r.StatusCode != http.StatusForbidden {
		t.Error(r.StatusCode)
	}
}

func TestEnvoyAsksForHealth(t *testing.T) {
	e := newEnvoy(t)
	for _, service := range []string{"", "envoy.service.auth.v3.Authorization"} {
		for ready, want := range map[bool]grpc_health_v1.HealthCheckResponse_ServingStatus{false: grpc_health_v1.HealthCheckResponse_NOT_SERVING, true: grpc_health_v1.HealthCheckResponse_SERVING} {
			e.server.Ready(ready)
			got, err := grpc_health_v1.NewHealthClient(e.conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: service})
			check(t, err)
			if got.GetStatus() != want {
				t.Errorf("%q: %v", service, got)
			}
		}
	}
}
