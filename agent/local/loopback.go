package local

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

const (
	maxBody        = 8 << 10
	confirmPath    = "/v1/confirm"
	ceremonyHeader = "Menshen-Ceremony"
	returnCodeSize = 32
	maxConcurrent  = 8
)

// PDP is the agent's own connection to the PDP.
type PDP interface {
	Confirm(ctx context.Context, c wire.DeviceConfirmation) (wire.DeviceConfirmed, error)
}

// Config is what a Loopback stands on. All members are needed but Seats, which
// is nil only where the administrator set `seat: none`.
type Config struct {
	// Origin returns the enrolled PDP's web origin, empty while not enrolled.
	Origin func() string
	PDP    PDP
	// Seats tells whether the owner of a connection sits at the screen.
	Seats  Seats
	Random io.Reader
	Logger *slog.Logger
}

// Seats finds out whose process connected from peer to own, and whether that
// user holds an active seat.
type Seats interface {
	Check(peer, own netip.AddrPort) error
}

// Errors of Seats.
var (
	ErrOtherUser   = errors.New("local: the connecting user does not hold the active seat")
	ErrSeatUnknown = errors.New("local: who holds the active seat cannot be told")
)

// Loopback answers the sign-in page. It is safe for concurrent use.
type Loopback struct {
	c     Config
	slots chan struct{}
}

// NewLoopback returns a Loopback.
func NewLoopback(c Config) (*Loopback, error) {
	if c.Origin == nil || c.PDP == nil || c.Random == nil || c.Logger == nil {
		return nil, errors.New("local: a member of the configuration is missing")
	}
	return &Loopback{c: c, slots: make(chan struct{}, maxConcurrent)}, nil
}

// Listen opens the loopback port.
func Listen(ctx context.Context, port int) (net.Listener, error) {
	var config net.ListenConfig
	return config.Listen(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
}

// Serve answers on l until ctx ends.
func (l *Loopback) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler: l, ReadHeaderTimeout: 2 * time.Second, ReadTimeout: 5 * time.Second,
		WriteTimeout: 20 * time.Second, IdleTimeout: 30 * time.Second, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(l.c.Logger.Handler(), slog.LevelDebug),
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// ServeHTTP answers a preflight or a confirmation and refuses all else.
func (l *Loopback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	own, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok || !ownName(r.Host, own.String()) {
		l.refuse(w, r, http.StatusMisdirectedRequest, reason.LocalWrongHost)
		return
	}
	origin := l.c.Origin()
	if origin == "" {
		l.refuse(w, r, http.StatusServiceUnavailable, reason.AgentNotEnrolled)
		return
	}
	if got := r.Header.Values("Origin"); len(got) != 1 || got[0] != origin {
		l.refuse(w, r, http.StatusForbidden, reason.LocalWrongOrigin)
		return
	}
	w.Header().Set("Vary", "Origin")
	w.Header().Set("Access-Control-Allow-Origin", origin)
	switch {
	case r.URL.Path != confirmPath:
		problem.Write(w, r, http.StatusNotFound, reason.New(reason.NotFound))
	case r.Method == http.MethodOptions:
		preflight(w, r)
	case r.Method == http.MethodPost:
		l.confirm(w, r, own.String())
	default:
		w.Header().Set("Allow", "POST, OPTIONS")
		problem.Write(w, r, http.StatusMethodNotAllowed, reason.New(reason.WrongMethod))
	}
}

// ownName refuses every Host but the listener's own address, so that a name
// that somebody's DNS points to loopback reaches nothing.
func ownName(host, own string) bool {
	_, port, err := net.SplitHostPort(own)
	return err == nil && slices.Contains([]string{"127.0.0.1:" + port, "localhost:" + port}, host)
}

// preflight grants the one request that the page makes. The private-network
// answer is for browsers of the older Private Network Access draft.
func preflight(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", http.MethodPost)
	h.Set("Access-Control-Allow-Headers", "content-type, "+ceremonyHeader)
	h.Set("Access-Control-Max-Age", "600")
	if r.Header.Get("Access-Control-Request-Private-Network") == "true" {
		h.Set("Access-Control-Allow-Private-Network", "true")
	}
	w.WriteHeader(http.StatusNoContent)
}

func (l *Loopback) confirm(w http.ResponseWriter, r *http.Request, own string) {
	if r.Header.Get(ceremonyHeader) != "1" || !fromPage(r) {
		l.refuse(w, r, http.StatusForbidden, reason.LocalNotCeremony)
		return
	}
	seat, err := l.seat(r.RemoteAddr, own)
	switch {
	case errors.Is(err, ErrOtherUser):
		l.refuse(w, r, http.StatusForbidden, reason.LocalOtherUser)
		return
	case err != nil:
		l.c.Logger.Warn("the seat could not be told", "error", err)
		l.refuse(w, r, http.StatusForbidden, reason.LocalUserUnknown)
		return
	}
	var in wire.LocalConfirm
	if !problem.ReadJSON(w, r, maxBody, &in) {
		return
	}
	select {
	case l.slots <- struct{}{}:
		defer func() { <-l.slots }()
	default:
		problem.Write(w, r, http.StatusTooManyRequests, reason.New(reason.LocalTooMany))
		return
	}
	l.ask(w, r, in.Nonce, seat)
}

// fromPage refuses what a browser says is no fetch by a page of another site:
// the PDP's page is cross-site to loopback, always.
func fromPage(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	mode := r.Header.Get("Sec-Fetch-Mode")
	return (site == "" || site == "cross-site") && (mode == "" || mode == "cors")
}

func (l *Loopback) seat(peer, own string) (wire.SeatState, error) {
	if l.c.Seats == nil {
		return wire.SeatNone, nil
	}
	from, err := netip.ParseAddrPort(peer)
	if err != nil {
		return "", ErrSeatUnknown
	}
	to, err := netip.ParseAddrPort(own)
	if err != nil {
		return "", ErrSeatUnknown
	}
	return wire.SeatActive, l.c.Seats.Check(from, to)
}

func (l *Loopback) ask(w http.ResponseWriter, r *http.Request, nonce string, seat wire.SeatState) {
	code := make([]byte, returnCodeSize)
	if _, err := io.ReadFull(l.c.Random, code); err != nil {
		problem.Write(w, r, http.StatusInternalServerError, reason.New(reason.Internal))
		return
	}
	answer, err := l.c.PDP.Confirm(r.Context(), wire.DeviceConfirmation{Nonce: nonce, ReturnCode: code, Seat: seat, Way: wire.BindingFetch})
	if err != nil || !answer.Accepted {
		l.c.Logger.Warn("the PDP did not take a confirmation", "error", err)
		problem.Write(w, r, http.StatusBadGateway, reason.New(reason.LocalNotConfirmed, "code_given", codeGiven(err)))
		return
	}
	problem.WriteJSON(w, r, wire.LocalConfirmed{ReturnCode: base64.RawURLEncoding.EncodeToString(code)})
}

// codeGiven is the code of what the PDP answered, where the error carries one.
func codeGiven(err error) string {
	var coded interface{ Reason() wire.Reason }
	if errors.As(err, &coded) {
		return coded.Reason().Code
	}
	return reason.Unavailable
}

func (l *Loopback) refuse(w http.ResponseWriter, r *http.Request, status int, code string) {
	l.c.Logger.Warn("loopback request refused", "code", code, "origin", r.Header.Get("Origin"), "host", r.Host)
	problem.Write(w, r, status, reason.New(code))
}
