package extauthz

import (
	"context"
	"net/http"
	"net/url"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/decision"
)

// secretKey is the metadata that a proxy proves its portal by.
const secretKey = "menshen-portal-secret" // #nosec G101 -- a key's name

// Check answers whether a client's request may pass. It never fails.
func (s *Server) Check(ctx context.Context, in *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	portal := s.portal(ctx)
	if portal == nil {
		return denial(func(w http.ResponseWriter) { s.decisions.Unproven(w, shown(ctx, nil)) }), nil
	}
	asked, malformed := read(in, portal)
	switch {
	case malformed != "":
		return denial(func(w http.ResponseWriter) { s.decisions.Malformed(w, shown(ctx, asked), portal, malformed) }), nil
	case !portal.Serves(asked.host):
		return denial(func(w http.ResponseWriter) { s.decisions.Misdirected(w, shown(ctx, asked)) }), nil
	}
	a := s.decisions.Authorize(ctx, &asked.Request)
	if a.Outcome == wire.AccessGranted {
		return granted(&a, asked), nil
	}
	return denial(func(w http.ResponseWriter) { s.decisions.Refuse(w, shown(ctx, asked), &asked.Request, &a) }), nil
}

// portal returns the portal that the proxy has proven, or nil.
func (s *Server) portal(ctx context.Context) *decision.Portal {
	secrets := metadata.ValueFromIncomingContext(ctx, secretKey)
	if len(secrets) != 1 || secrets[0] == "" {
		return nil
	}
	portal, err := s.decisions.Portal(ctx, secrets[0])
	if err != nil {
		return nil
	}
	return portal
}

// guard stands around every call: it bounds its time, and lets no answer pass
// that was not made on purpose.
func (s *Server) guard(ctx context.Context, in any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (out any, err error) {
	if info.FullMethod != authv3.Authorization_Check_FullMethodName {
		return handle(ctx, in)
	}
	if until, bounded := ctx.Deadline(); !bounded || time.Until(until) > patience {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	defer func() {
		if fault := recover(); fault != nil {
			s.logger.Error("check failed", "fault", fault)
			out, err = closed(), nil
		}
	}()
	out, err = handle(ctx, in)
	if answer, ok := out.(*authv3.CheckResponse); err != nil || !ok || !deliberate(answer) {
		s.logger.Error("check gave no answer", "error", err)
		return closed(), nil
	}
	return out, nil
}

// deliberate reports whether an answer says what it does in so many words: a
// refusal with its status, or an OK with the decision that it stands on.
func deliberate(answer *authv3.CheckResponse) bool {
	if answer == nil || answer.GetStatus() == nil {
		return false
	}
	if codes.Code(answer.GetStatus().GetCode()) != codes.OK { // #nosec G115 -- compared with OK alone
		return answer.GetDeniedResponse() != nil
	}
	for _, option := range answer.GetOkResponse().GetHeaders() {
		if option.GetHeader().GetKey() == keyDecision {
			return option.GetHeader().GetValue() != ""
		}
	}
	return false
}

// shown is the client's request as what answers browsers looks at it.
func shown(ctx context.Context, asked *question) *http.Request {
	r := &http.Request{Method: http.MethodGet, URL: &url.URL{}, Header: http.Header{}}
	if from, ok := peer.FromContext(ctx); ok {
		r.RemoteAddr = from.Addr.String()
	}
	if asked != nil {
		for _, name := range [...]string{"Cookie", "Accept-Language", "Referer"} {
			if value := asked.headers[lower(name)]; value != "" {
				r.Header[name] = []string{value}
			}
		}
	}
	return r.WithContext(ctx)
}
