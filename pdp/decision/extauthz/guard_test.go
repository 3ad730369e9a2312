package extauthz

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/decision"
)

// passes reads an answer as Envoy does: an absent status is OK.
func passes(answer *authv3.CheckResponse) bool {
	return codes.Code(answer.GetStatus().GetCode()) == codes.OK
}

func guarded(t *testing.T, handle grpc.UnaryHandler) *authv3.CheckResponse {
	t.Helper()
	s := &Server{logger: slog.New(slog.DiscardHandler)}
	out, err := s.guard(t.Context(), nil, &grpc.UnaryServerInfo{FullMethod: authv3.Authorization_Check_FullMethodName}, handle)
	if err != nil {
		t.Fatalf("a call fails, and a proxy may pass what fails: %v", err)
	}
	answer, ok := out.(*authv3.CheckResponse)
	if !ok || answer == nil {
		t.Fatalf("%v is no answer", out)
	}
	return answer
}

// Whatever goes wrong behind it, what leaves is a denial.
func TestNothingPassesByAccident(t *testing.T) {
	ok := &rpcstatus.Status{}
	for name, handle := range map[string]grpc.UnaryHandler{
		"nothing":         func(context.Context, any) (any, error) { return nil, nil },
		"a nil answer":    func(context.Context, any) (any, error) { return (*authv3.CheckResponse)(nil), nil },
		"another answer":  func(context.Context, any) (any, error) { return ok, nil },
		"an empty answer": func(context.Context, any) (any, error) { return &authv3.CheckResponse{}, nil },
		"a bare OK":       func(context.Context, any) (any, error) { return &authv3.CheckResponse{Status: ok}, nil },
		"an error":        func(context.Context, any) (any, error) { return granted(known(), &question{}), errors.New("late") },
		"a panic":         func(context.Context, any) (any, error) { panic("broken") },
		"an OK without a decision": func(context.Context, any) (any, error) {
			return granted(&wire.Access{Outcome: wire.AccessGranted}, &question{}), nil
		},
		"an OK without a status": func(context.Context, any) (any, error) {
			answer := granted(known(), &question{})
			answer.Status = nil
			return answer, nil
		},
		"an empty refusal": func(context.Context, any) (any, error) {
			return &authv3.CheckResponse{Status: &rpcstatus.Status{Code: int32(codes.PermissionDenied)}}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			if answer := guarded(t, handle); passes(answer) || answer.GetDeniedResponse().GetStatus().GetCode() != http.StatusInternalServerError {
				t.Error(answer)
			}
		})
	}
	if answer := guarded(t, func(context.Context, any) (any, error) { return granted(known(), &question{}), nil }); !passes(answer) {
		t.Error("nothing passes at all:", answer)
	}
}

func known() *wire.Access {
	return &wire.Access{Outcome: wire.AccessGranted, Token: "a.b.c", Identity: &wire.Identity{Subject: "per-1"}, Decision: &wire.Decision{ID: "dec-1"}}
}

// What answers a browser may not make a success of a denial.
func TestADenialIsNoSuccess(t *testing.T) {
	for name, tell := range map[string]func(http.ResponseWriter){
		"nothing":   func(http.ResponseWriter) {},
		"a body":    func(w http.ResponseWriter) { _, _ = w.Write([]byte("x")) },
		"OK":        func(w http.ResponseWriter) { w.WriteHeader(http.StatusOK) },
		"no status": func(w http.ResponseWriter) { w.Header().Set("Location", "/") },
	} {
		if answer := denial(tell); passes(answer) || answer.GetDeniedResponse().GetStatus().GetCode() != http.StatusInternalServerError {
			t.Errorf("%s: %v", name, answer)
		}
	}
	answer := denial(func(w http.ResponseWriter) { w.WriteHeader(http.StatusForbidden); _, _ = w.Write([]byte("\xff")) })
	if _, err := proto.Marshal(answer); err != nil {
		t.Error("an answer that cannot be sent:", err)
	}
}

func TestACallEndsInTime(t *testing.T) {
	var left time.Duration
	guarded(t, func(ctx context.Context, _ any) (any, error) {
		until, bounded := ctx.Deadline()
		if !bounded {
			t.Fatal("no deadline")
		}
		left = time.Until(until)
		return closed(), nil
	})
	if left > patience {
		t.Error(left)
	}
}

// refusing answers for one portal, and refuses everything there.
type refusing struct{ Decisions }

func (refusing) Portal(_ context.Context, secret string) (*decision.Portal, error) {
	if secret != "secret" {
		return nil, errors.New("unknown")
	}
	return &decision.Portal{Portal: wire.Portal{Origin: "https://hr.example"}}, nil
}
func (refusing) Authorize(context.Context, *decision.Request) wire.Access { return wire.Access{} }
func (refusing) Refuse(w http.ResponseWriter, _ *http.Request, _ *decision.Request, _ *wire.Access) {
	w.WriteHeader(http.StatusForbidden)
}
func (refusing) Unproven(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusUnauthorized)
}
func (refusing) Malformed(w http.ResponseWriter, _ *http.Request, _ *decision.Portal, _ string) {
	w.WriteHeader(http.StatusInternalServerError)
}
func (refusing) Misdirected(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusMisdirectedRequest)
}

// No bytes that a peer sends are answered OK where everything is refused.
func FuzzCheck(f *testing.F) {
	for _, in := range []*authv3.CheckRequest{{}, {Attributes: &authv3.AttributeContext{
		Source: &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{Address: "192.0.2.1"}}}},
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{Method: "GET", Path: "/", Host: "hr.example",
			Headers: map[string]string{"cookie": "__Host-menshen-session=x", "accept": "text/html"}}},
	}}} {
		raw, err := proto.Marshal(in)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, "secret")
		f.Add(raw, "")
	}
	s := &Server{decisions: refusing{}, logger: slog.New(slog.DiscardHandler)}
	info := &grpc.UnaryServerInfo{FullMethod: authv3.Authorization_Check_FullMethodName}
	f.Fuzz(func(t *testing.T, raw []byte, secret string) {
		in := new(authv3.CheckRequest)
		if proto.Unmarshal(raw, in) != nil {
			return
		}
		ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs(secretKey, secret))
		out, err := s.guard(ctx, in, info, func(ctx context.Context, in any) (any, error) { return s.Check(ctx, in.(*authv3.CheckRequest)) })
		answer, ok := out.(*authv3.CheckResponse)
		if err != nil || !ok || passes(answer) {
			t.Fatal(out, err)
		}
		if _, err := proto.Marshal(answer); err != nil {
			t.Fatal("an answer that cannot be sent:", err)
		}
	})
}

func TestOddNamesAreRemoved(t *testing.T) {
	for name, want := range map[string]bool{
		"menshen_subject": true, "menshen.subject": true, "menshen~subject": true, "menshen-subject_": true, "x_forwarded_for": true, "x-forwarded.for": true,
		"x.original.url": true, "menshen!token": true, "my_header": true, "a:b": true, "menshen\u00adsubject": true,
		"x-real-ip": false, ":path": false, "accept": false, "sec-fetch-mode": false,
	} {
		answer := granted(known(), &question{headers: map[string]string{name: "forged"}})
		if got := slices.Contains(answer.GetOkResponse().GetHeadersToRemove(), name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
