package extauthz

import (
	"bytes"
	"net/http"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/decision"
)

const (
	keyCookie   = "cookie"
	keyDecision = "menshen-decision"
)

// identityKeys are decision.IdentityHeaders as Envoy spells headers.
var identityKeys = func() (keys [len(decision.IdentityHeaders)]string) {
	for i, name := range decision.IdentityHeaders {
		keys[i] = lower(name)
	}
	return keys
}()

// stripped never reach an application: what speaks between proxy and PDP, and
// what would have the application see another method or address than was
// decided on.
var stripped = [...]string{
	"menshen-reason", "menshen-portal-secret", "menshen-connection", "x-menshen-connection",
	"x-original-method", "x-original-uri", "x-original-upgrade",
	"x-http-method", "x-http-method-override", "x-method-override", "x-original-http-method",
	"x-original-url", "x-rewrite-url", "x-script-name", "x-forwarded-prefix", "x-forwarded-path", "x-forwarded-method", "x-forwarded-uri", "x-forwarded-port", "x-forwarded-server", "forwarded",
}

// settable is how many headers an OK may set: identity and the cookies.
const settable = len(identityKeys) + 1

// grant is an OK with room for all that it says, in one piece.
type grant struct {
	answer  authv3.CheckResponse
	kind    authv3.CheckResponse_OkResponse
	ok      authv3.OkHttpResponse
	status  rpcstatus.Status
	headers [settable]corev3.HeaderValue
	options [settable]corev3.HeaderValueOption
	set     [settable]*corev3.HeaderValueOption
	removed [settable + len(stripped)]string
}

// granted makes the answer that lets a request pass. It is the only one.
func granted(a *wire.Access, asked *question) *authv3.CheckResponse {
	values := decision.Identity(a)
	g := new(grant)
	set, removed := g.set[:0], append(g.removed[:0], stripped[:]...)
	removed = appendOdd(removed, asked.headers)
	put := func(key, value string) {
		if value == "" { // an empty value is not sure to overwrite
			removed = append(removed, key)
			return
		}
		i := len(set)
		g.headers[i].Key, g.headers[i].Value = key, value
		g.options[i].Header = &g.headers[i]
		g.options[i].AppendAction = corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD
		set = append(set, &g.options[i])
	}
	for i, key := range identityKeys {
		put(key, values[i])
	}
	if line := asked.headers[keyCookie]; line != "" {
		if rest := decision.ApplicationCookies(asked.Cookies); rest != line {
			put(keyCookie, rest)
		}
	}
	g.status.Code = int32(codes.OK)
	g.ok.Headers, g.ok.HeadersToRemove = set, removed
	g.kind.OkResponse = &g.ok
	g.answer.Status, g.answer.HttpResponse = &g.status, &g.kind
	return &g.answer
}

// denial makes the answer that lets nothing pass, out of what tell writes for
// the browser.
func denial(tell func(http.ResponseWriter)) *authv3.CheckResponse {
	w := recorder{header: http.Header{}}
	tell(&w)
	if w.status < http.StatusMultipleChoices {
		return closed()
	}
	var headers []*corev3.HeaderValueOption
	for name, values := range w.header {
		if name == "Content-Length" { // Envoy counts for itself
			continue
		}
		action := corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD
		if len(values) > 1 {
			action = corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD
		}
		for _, value := range values {
			headers = append(headers, &corev3.HeaderValueOption{Header: &corev3.HeaderValue{Key: lower(name), Value: strings.ToValidUTF8(value, "")}, AppendAction: action})
		}
	}
	return refusal(w.status, headers, strings.ToValidUTF8(w.body.String(), "\uFFFD"))
}

func refusal(status int, headers []*corev3.HeaderValueOption, body string) *authv3.CheckResponse {
	return &authv3.CheckResponse{
		Status: &rpcstatus.Status{Code: int32(codes.PermissionDenied)},
		HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{
			Status: &typev3.HttpStatus{Code: typev3.StatusCode(status)}, Headers: headers, Body: body, // #nosec G115 -- three digits
		}},
	}
}

// closed is the answer where there is none.
func closed() *authv3.CheckResponse { return refusal(http.StatusInternalServerError, nil, "") }

// recorder keeps what is written for a browser.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *recorder) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}
