package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/strictjson"
	"github.com/menshen-zt/menshen/internal/unixsocket"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Agent is what the command line may ask of the agent.
type Agent interface {
	Status() Status
	// Check measures and attests now, and returns the status after that.
	Check(ctx context.Context) Status
	// ScreenLock takes what a person's desktop session says of its screen.
	ScreenLock(uid uint32, report ScreenLockReport)
	// Remedies tells where the repairs stand, Fix applies one and measures.
	Remedies(ctx context.Context) Fixed
	Fix(ctx context.Context, claim wire.ClaimID) Fixed
}

// ControlConfig is everything that the control socket needs.
type ControlConfig struct {
	Socket string
	Agent  Agent
	// Seats tells which users besides root and the agent's own may ask.
	Seats  Seats
	Logger *slog.Logger
}

// checkTime bounds `check`: the PDP's nonce lives 120 s, a person waits less.
const checkTime = 60 * time.Second

// ServeControl answers the command line until ctx ends.
func ServeControl(ctx context.Context, c ControlConfig) error {
	// Anybody may connect; the peer's credentials decide who is answered.
	listener, err := unixsocket.Listen(c.Socket, 0o666, -1)
	if err != nil {
		return fmt.Errorf("local: %w", err)
	}
	return serve(ctx, listener, c.handler(), c.Logger)
}

func (c ControlConfig) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, r *http.Request) {
		problem.WriteJSON(w, r, c.Agent.Status())
	})
	mux.HandleFunc("POST /v1/check", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), checkTime)
		defer cancel()
		problem.WriteJSON(w, r, c.Agent.Check(ctx))
	})
	c.fixes(mux)
	own := http.NewServeMux()
	own.HandleFunc("POST "+pathScreenLock, c.takeScreenLock)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == pathScreenLock { // also of people in the background, each of themselves
			own.ServeHTTP(w, r)
			return
		}
		if !c.mayAsk(r.Context()) {
			problem.Write(w, r, http.StatusForbidden, reason.New(reason.LocalOtherUser))
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// mayAsk permits root, the agent's own user, and who sits at the laptop.
func (c ControlConfig) mayAsk(ctx context.Context) bool {
	p, ok := ctx.Value(peerKey{}).(peer)
	if !ok {
		return false
	}
	if errors.Is(p.err, unixsocket.ErrNoPeer) {
		return peerlessSystem // then the file's mode decides
	}
	if p.err != nil {
		return false
	}
	if p.uid == 0 || int(p.uid) == os.Geteuid() {
		return true
	}
	_, err := c.Seats.Check(p.uid)
	return err == nil
}

// peer is the user at the other end of a Unix socket.
type peer struct {
	uid uint32
	err error
}

type peerKey struct{}

func withPeer(ctx context.Context, conn net.Conn) context.Context {
	uid, err := unixsocket.PeerUID(conn)
	return context.WithValue(ctx, peerKey{}, peer{uid, err})
}

// ErrNoAgent: no agent answers at the control socket, or not this user.
var ErrNoAgent = errors.New("local: the agent does not answer")

// AskStatus asks the agent behind a control socket for its status.
func AskStatus(ctx context.Context, socket string) (Status, error) {
	return ask(ctx, socket, http.MethodGet, "/v1/status")
}

// AskCheck has the agent measure and attest now.
func AskCheck(ctx context.Context, socket string) (Status, error) {
	return ask(ctx, socket, http.MethodPost, "/v1/check")
}

const maxStatus = 1 << 20

func ask(ctx context.Context, socket, method, path string) (Status, error) {
	var s Status
	err := exchange(ctx, socket, method, path, nil, &s)
	return s, err
}

// exchange sends a body, if there is one, and reads the answer into a value.
func exchange(ctx context.Context, socket, method, path string, body []byte, answered any) error {
	ctx, cancel := context.WithTimeout(ctx, checkTime+10*time.Second)
	defer cancel()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "unix", socket)
	}}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(ctx, method, "http://agent"+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("local: %w", err)
	}
	answer, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoAgent, err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: status %d", ErrNoAgent, answer.StatusCode)
	}
	if err := strictjson.Decode(answer.Body, maxStatus, answered); err != nil {
		return fmt.Errorf("%w: %w", ErrNoAgent, err)
	}
	return nil
}
