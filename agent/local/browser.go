package local

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Confirmer carries a confirmation to the PDP. An error may have a method
// Reason() wire.Reason.
type Confirmer interface {
	Confirm(ctx context.Context, c wire.DeviceConfirmation) error
}

// Owners tells which user's process made a connection to the listener.
type Owners interface {
	Owner(client, listener netip.AddrPort) (uid uint32, err error)
}

// Seats tells whether a user may speak for this laptop; ErrOtherUser if not.
type Seats interface {
	Check(uid uint32) (wire.SeatState, error)
}

// ErrOtherUser: the user does not hold an active seat.
var ErrOtherUser = errors.New("local: the user does not hold an active seat")

// BrowserConfig is everything that a Browser needs.
type BrowserConfig struct {
	WebOrigin string // exactly as the browser sends it
	Port      int
	Confirmer Confirmer
	Owners    Owners
	Seats     Seats
	Clock     func() time.Time
	Random    io.Reader
	Logger    *slog.Logger
}

// Browser answers the sign-in page. It is safe for concurrent use.
type Browser struct {
	BrowserConfig
	hosts []string
	pace  *pace
}

// Bounds.
const (
	confirmPath   = "/v1/confirm"
	maxBody       = 8 << 10
	maxNonce      = 4 << 10
	confirmTime   = 20 * time.Second
	perMinute     = 30
	returnCodeLen = 32
)

// Headers of the exchange.
const (
	ceremonyHeader = "Menshen-Ceremony"
	ceremonyValue  = "1"
)

// NewBrowser returns the handler of the loopback listener.
func NewBrowser(c BrowserConfig) *Browser {
	port := strconv.Itoa(c.Port)
	return &Browser{BrowserConfig: c, hosts: []string{"127.0.0.1:" + port, "localhost:" + port}, pace: newPace(perMinute, time.Minute)}
}

// ServeHTTP answers one request of a browser.
func (b *Browser) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if !slices.Contains(b.hosts, r.Host) {
		b.refuseAs(w, r, http.StatusMisdirectedRequest, reason.LocalWrongHost)
		return
	}
	if origins := r.Header.Values("Origin"); len(origins) != 1 || origins[0] != b.WebOrigin {
		b.refuse(w, r, reason.LocalWrongOrigin)
		return
	}
	// From here on the page may read the answer.
	h.Set("Access-Control-Allow-Origin", b.WebOrigin)
	h.Set("Vary", "Origin")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	switch {
	case r.URL.Path != confirmPath:
		problem.Write(w, r, http.StatusNotFound, reason.New(reason.NotFound))
	case !fetchedFromAnotherSite(r.Header):
		b.refuse(w, r, reason.LocalFetchOdd)
	case r.Method == http.MethodOptions:
		b.preflight(w, r)
	case r.Method == http.MethodPost:
		b.confirm(w, r)
	default:
		h.Set("Allow", "POST, OPTIONS")
		problem.Write(w, r, http.StatusMethodNotAllowed, reason.New(reason.WrongMethod))
	}
}

// fetchedFromAnotherSite checks Fetch Metadata (W3C, Fetch Metadata Request
// Headers) where the browser sends it: the page is on another site than
// loopback, and it fetches; it does not navigate, embed or load an image.
func fetchedFromAnotherSite(h http.Header) bool {
	only := func(name, want string) bool {
		values := h.Values(name)
		return len(values) == 0 || (len(values) == 1 && values[0] == want)
	}
	return only("Sec-Fetch-Site", "cross-site") && only("Sec-Fetch-Mode", "cors") && only("Sec-Fetch-Dest", "empty")
}

// preflight answers the question that the browser asks before the POST (Fetch,
// CORS-preflight fetch), also in its form for private networks.
func (b *Browser) preflight(w http.ResponseWriter, r *http.Request) {
	allowed := []string{"content-type", strings.ToLower(ceremonyHeader)}
	for name := range strings.SplitSeq(r.Header.Get("Access-Control-Request-Headers"), ",") {
		if name = strings.ToLower(strings.TrimSpace(name)); name != "" && !slices.Contains(allowed, name) {
			b.refuse(w, r, reason.LocalNotCeremony)
			return
		}
	}
	if r.Header.Get("Access-Control-Request-Method") != http.MethodPost {
		b.refuse(w, r, reason.LocalNotCeremony)
		return
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", http.MethodPost)
	h.Set("Access-Control-Allow-Headers", strings.Join(allowed, ", "))
	h.Set("Access-Control-Max-Age", "600")
	if r.Header.Get("Access-Control-Request-Private-Network") == "true" {
		h.Set("Access-Control-Allow-Private-Network", "true")
	}
	w.WriteHeader(http.StatusNoContent)
}

// confirm confirms one ceremony's nonce to the PDP and gives the page the
// return code.
func (b *Browser) confirm(w http.ResponseWriter, r *http.Request) {
	if values := r.Header.Values(ceremonyHeader); len(values) != 1 || values[0] != ceremonyValue {
		b.refuse(w, r, reason.LocalNotCeremony)
		return
	}
	seat, code := b.seat(r)
	if code != "" {
		b.refuse(w, r, code)
		return
	}
	if !b.pace.permit(b.Clock()) {
		problem.Write(w, r, http.StatusTooManyRequests, reason.New(reason.LocalTooMany))
		return
	}
	var in wire.LocalConfirm
	if !problem.ReadJSON(w, r, maxBody, &in) {
		return
	}
	if !plausible(in.Nonce) {
		problem.Write(w, r, http.StatusBadRequest, reason.New(reason.BadRequest, "detail", "nonce"))
		return
	}
	returnCode := make([]byte, returnCodeLen)
	if _, err := io.ReadFull(b.Random, returnCode); err != nil {
		problem.Write(w, r, http.StatusInternalServerError, reason.New(reason.AgentInternal))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), confirmTime)
	defer cancel()
	err := b.Confirmer.Confirm(ctx, wire.DeviceConfirmation{Nonce: in.Nonce, ReturnCode: returnCode, Seat: seat, Way: wire.BindingFetch})
	if err != nil {
		b.Logger.Warn("a confirmation failed", "error", err)
		problem.Write(w, r, http.StatusBadGateway, reason.New(reason.LocalNotConfirmed, "code_given", codeOf(err)))
		return
	}
	b.Logger.Info("a sign-in on this laptop was confirmed", "seat", seat)
	problem.WriteJSON(w, r, wire.LocalConfirmed{ReturnCode: base64.RawURLEncoding.EncodeToString(returnCode)})
}

// seat finds whose browser asks, and whether that user sits here.
func (b *Browser) seat(r *http.Request) (state wire.SeatState, code string) {
	uid, err := b.owner(r)
	if err != nil {
		b.Logger.Warn("the browser's user is not known", "error", err)
		return "", reason.LocalUserUnknown
	}
	state, err = b.Seats.Check(uid)
	switch {
	case errors.Is(err, ErrOtherUser):
		b.Logger.Warn("another user's browser was refused", "uid", uid)
		return "", reason.LocalOtherUser
	case err != nil:
		b.Logger.Warn("the active seat is not known", "error", err)
		return "", reason.LocalUserUnknown
	}
	return state, ""
}

func (b *Browser) owner(r *http.Request) (uint32, error) {
	client, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return 0, fmt.Errorf("local: the client's address: %w", err)
	}
	own, ok := r.Context().Value(http.LocalAddrContextKey).(interface{ String() string })
	if !ok {
		return 0, errors.New("local: the listener's address is not known")
	}
	listener, err := netip.ParseAddrPort(own.String())
	if err != nil {
		return 0, fmt.Errorf("local: the listener's address: %w", err)
	}
	return b.Owners.Owner(client, listener)
}

func (b *Browser) refuse(w http.ResponseWriter, r *http.Request, code string) {
	b.refuseAs(w, r, http.StatusForbidden, code)
}

func (b *Browser) refuseAs(w http.ResponseWriter, r *http.Request, status int, code string) {
	b.Logger.Info("a browser's request was refused", "code", code, "origin", clip(r.Header.Get("Origin")), "host", clip(r.Host))
	problem.Write(w, r, status, reason.New(code))
}

// clip bounds what a stranger puts into the log.
func clip(s string) string { return s[:min(len(s), 100)] }

// plausible accepts what the PDP's sealing makes: base64url, of bounded length.
func plausible(nonce string) bool {
	if len(nonce) < 16 || len(nonce) > maxNonce {
		return false
	}
	return !strings.ContainsFunc(nonce, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.'
	})
}

func codeOf(err error) string {
	var told interface{ Reason() wire.Reason }
	if errors.As(err, &told) {
		return told.Reason().Code
	}
	return reason.AgentInternal
}
