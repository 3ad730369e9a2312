package ceremony

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/go-webauthn/webauthn/protocol"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

const (
	purposeCeremony = "sign-in-ceremony"
	prefixCeremony  = "cer"
	challengeSize   = 32
)

// signIn is a sign-in under way. It lives sealed in the browser's cookie:
// starting one writes nothing (design: invariant 2).
type signIn struct {
	ID        string `json:"id"`
	Challenge []byte `json:"challenge"`
	// Handle is the digest of the start handle's text. The handle itself is
	// too long for a cookie; the page sends it with each step that needs it.
	Handle  []byte    `json:"handle"`
	Expires time.Time `json:"expires"`
}

type startRequest struct {
	Handle string `json:"handle"`
}

type startAnswer struct {
	KeyNeeded   bool                                        `json:"key_needed"`
	Options     *protocol.PublicKeyCredentialRequestOptions `json:"options,omitempty"`
	Person      string                                      `json:"person,omitempty"`
	DeviceNonce string                                      `json:"device_nonce"`
	AgentPort   int                                         `json:"agent_port"`
	ExpiresIn   int                                         `json:"expires_in_seconds"`
}

func (c *Ceremony) startSignIn(w http.ResponseWriter, r *http.Request, request startRequest) {
	answer, sealed, err := c.start(r.Context(), request.Handle, sessionCookie(r), browserNetwork(r))
	if err != nil {
		c.answerRefusal(w, r, "start", err)
		return
	}
	setCookie(w, cookieCeremony, sealed, ceremonyLife)
	problem.WriteJSON(w, r, answer)
}

func (c *Ceremony) start(ctx context.Context, handle, session, network string) (startAnswer, string, error) {
	now := c.clock()
	target, err := c.openHandle(handle, now)
	if err != nil {
		return startAnswer{}, "", err
	}
	answer := startAnswer{KeyNeeded: true, AgentPort: c.agentPort, ExpiresIn: int(ceremonyLife / time.Second)}
	if s, err := c.findSession(ctx, session, now); err == nil && !s.value.SignIn.At.Before(target.FreshAfter) {
		answer.KeyNeeded, answer.Person = false, s.person.Name
	} else if err != nil && !errors.Is(err, errNoSession) {
		return startAnswer{}, "", err
	}
	state := signIn{Challenge: make([]byte, challengeSize), Handle: handleDigest(handle), Expires: now.Add(ceremonyLife).UTC()}
	if state.ID, err = wire.NewID(prefixCeremony, c.random); err != nil {
		return startAnswer{}, "", err
	}
	if _, err := io.ReadFull(c.random, state.Challenge); err != nil {
		return startAnswer{}, "", fmt.Errorf("ceremony: drawing a challenge: %w", err)
	}
	if answer.KeyNeeded {
		if answer.Options, err = c.requestOptions(state.Challenge); err != nil {
			return startAnswer{}, "", err
		}
	}
	nonce := deviceNonce{Ceremony: state.ID, Network: network}
	if answer.DeviceNonce, err = c.sealer.Seal(purposeDeviceNonce, state.Expires, nonce); err != nil {
		return startAnswer{}, "", fmt.Errorf("ceremony: sealing: %w", err)
	}
	sealed, err := c.sealer.Seal(purposeCeremony, state.Expires, state)
	if err != nil {
		return startAnswer{}, "", fmt.Errorf("ceremony: sealing: %w", err)
	}
	return answer, sealed, nil
}

// openHandle opens what /.menshen/start sealed on the portal's host.
func (c *Ceremony) openHandle(text string, now time.Time) (wire.StartHandle, error) {
	var handle wire.StartHandle
	if err := c.sealer.Open(wire.PurposeStartHandle, text, now, &handle); err != nil {
		return handle, refuseTicket(err, reason.KeyNoHandle)
	}
	if len(handle.PreCookieHash) != sha256.Size || wire.CheckReturnPath(handle.ReturnPath) != nil {
		return handle, refuse(reason.KeyNoHandle, errors.New("the start handle is not well formed"))
	}
	return handle, nil
}

// refuseTicket tells an expired ticket from one that is not ours.
func refuseTicket(err error, forged string) error {
	var expiry interface{ Expired() bool }
	if errors.As(err, &expiry) && expiry.Expired() {
		return refuse(reason.KeySignInExpired, err)
	}
	return refuse(forged, err)
}

func handleDigest(text string) []byte {
	digest := sha256.Sum256([]byte(text))
	return digest[:]
}

// current opens the sign-in that this browser's cookie holds.
func (c *Ceremony) current(r *http.Request, now time.Time) (signIn, error) {
	var state signIn
	text, ok := cookie(r, cookieCeremony)
	if !ok {
		return state, refuse(reason.KeySignInExpired, errors.New("no ceremony cookie"))
	}
	if err := c.sealer.Open(purposeCeremony, text, now, &state); err != nil {
		return state, refuseTicket(err, reason.KeySignInExpired)
	}
	return state, nil
}

type deviceRequest struct {
	Handle     string `json:"handle"`
	ReturnCode string `json:"return_code"`
}

type deviceAnswer struct {
	Redirect string `json:"redirect"`
}

func (c *Ceremony) proveDevice(w http.ResponseWriter, r *http.Request, request deviceRequest) {
	redirect, err := c.finishSignIn(r, request)
	if err != nil {
		c.answerRefusal(w, r, "device", err)
		return
	}
	clearCookie(w, cookieCeremony)
	problem.WriteJSON(w, r, deviceAnswer{Redirect: redirect})
}

// finishSignIn joins who signed in (the PDP's own session) with the laptop
// (the agent's confirmation of this browser's ceremony), and gives out a login
// code for the portal.
func (c *Ceremony) finishSignIn(r *http.Request, request deviceRequest) (string, error) {
	ctx, now := r.Context(), c.clock()
	state, err := c.current(r, now)
	if err != nil {
		return "", err
	}
	if subtle.ConstantTimeCompare(state.Handle, handleDigest(request.Handle)) != 1 {
		return "", refuse(reason.KeyNoHandle, errors.New("another sign-in's handle"))
	}
	handle, err := c.openHandle(request.Handle, now)
	if err != nil {
		return "", err
	}
	session, err := c.findSession(ctx, sessionCookie(r), now)
	if errors.Is(err, errNoSession) {
		return "", refuse(reason.KeyTouchNeeded, err)
	}
	if err != nil {
		return "", err
	}
	if session.value.SignIn.At.Before(handle.FreshAfter) {
		return "", refuse(reason.KeyTouchNeeded, errors.New("the portal asks for a fresh touch"))
	}
	portal, err := c.directory.Portal(ctx, handle.Portal)
	if errors.Is(err, store.ErrNotFound) {
		return "", refuse(reason.KeyNoHandle, err)
	}
	if err != nil {
		return "", err
	}
	binding, err := c.bind(r, handle, state, request.ReturnCode, now)
	if err != nil {
		c.tellFailed(r, session.person, portal.ID, err)
		// Anybody who is signed in could fill the log with these.
		if c.refusals.Permit(session.person.ID, now) {
			c.recordRefusal(ctx, session.person, portal.ID, session.value.SignIn, err)
		}
		return "", err
	}
	login := wire.Login{SignIn: session.value.SignIn, Binding: binding, Portal: portal.ID, ReturnPath: handle.ReturnPath, Network: handle.Network}
	if err := c.recordSignedIn(ctx, session.person, login); err != nil {
		return "", err
	}
	if err := c.touchSession(ctx, session, sessionCookie(r), now); err != nil {
		return "", err
	}
	code, err := c.issueCode(ctx, login, handle.PreCookieHash, now)
	if err != nil {
		return "", err
	}
	return portal.Origin + "/.menshen/callback?code=" + code, nil
}

// bind takes the laptop's confirmation for a browser that is where the portal's
// proxy saw it: a start handle that was carried elsewhere finishes nothing.
// Portals and the PDP must therefore see a browser at the same address; where
// NAT stands before one of them alone, nobody can sign in.
func (c *Ceremony) bind(r *http.Request, handle wire.StartHandle, state signIn, returnCode string, now time.Time) (wire.DeviceBinding, error) {
	if !wire.SameNetwork(handle.Network, browserNetwork(r)) {
		return wire.DeviceBinding{}, refuse(reason.KeyOtherNetwork, nil)
	}
	return c.takeConfirmation(r.Context(), state, returnCode, now)
}

// Describe returns the portal that a start handle leads to, for the page.
func (c *Ceremony) Describe(ctx context.Context, handle string) (wire.SignInPage, error) {
	target, err := c.openHandle(handle, c.clock())
	if err != nil {
		return wire.SignInPage{}, err
	}
	portal, err := c.directory.Portal(ctx, target.Portal)
	if errors.Is(err, store.ErrNotFound) {
		return wire.SignInPage{}, refuse(reason.KeyNoHandle, err)
	}
	return wire.SignInPage{Portal: portal, Why: target.Why}, err
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
