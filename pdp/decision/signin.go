package decision

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// challenge answers a browser that was refused with 401. A document's GET goes
// to sign in and comes back to the very address; whatever else was asked is
// told where to sign in, and nothing is repeated for it.
func (s *Server) challenge(w http.ResponseWriter, r *http.Request, q *question) {
	a := s.authorize(r.Context(), q)
	s.challenged(w, r, q, &a)
}

func (s *Server) challenged(w http.ResponseWriter, r *http.Request, q *question, a *wire.Access) {
	back := returnPath(q.uri)
	switch {
	case q.Navigation && a.Outcome == wire.AccessSignIn:
		s.begin(w, r, q, back, a.FreshKey, touchReasons(a))
	case q.Navigation && a.Outcome == wire.AccessGranted:
		goTo(w, back) // signed in meanwhile, in another tab
	case a.Outcome == wire.AccessRefused:
		s.refused(w, r, q, a)
	case q.document:
		s.Pages.Fault(w, r, http.StatusUnauthorized, reason.New(reason.FormNotSent), startPath(pageOf(r, q), a.FreshKey))
	default:
		why := a.Reason
		if a.Outcome == wire.AccessGranted {
			why = reason.New(reason.SessionNone) // signed in meanwhile; the script may ask again
		}
		s.signInAgain(w, r, q, why, a.FreshKey)
	}
}

// start begins a sign-in that comes back to ?rd=, a path on this portal;
// ?fresh=1 asks for a new touch of the key.
func (s *Server) start(w http.ResponseWriter, r *http.Request, q *question) {
	back := returnPath(r.URL.Query().Get("rd"))
	page := *q
	page.ask(q.routes.Read(http.MethodGet, back, false))
	page.Navigation = true
	last, known := s.peek(&page)
	fresh := (known && last.FreshKey) || r.URL.Query().Get("fresh") == "1"
	if _, ok := s.Sessions.Admitted(page.AccessRequest); ok && !fresh {
		goTo(w, back) // nothing to sign in for
		return
	}
	s.begin(w, r, q, back, fresh, touchReasons(&last))
}

// begin sends the browser to the PDP's sign-in page. Nothing is stored: the
// sealed handle carries what the callback will need.
func (s *Server) begin(w http.ResponseWriter, r *http.Request, q *question, back string, fresh bool, why []wire.Reason) {
	// A sign-in in another tab of this browser goes on under the same cookie.
	pre := cookie(r.Header["Cookie"], cookiePre)
	if pre == "" {
		var raw [32]byte
		if _, err := io.ReadFull(s.Random, raw[:]); err != nil {
			s.fail(w, r, q, "drawing a cookie", err)
			return
		}
		pre = base64.RawURLEncoding.EncodeToString(raw[:])
	}
	hash, now := digest(pre), s.Clock()
	handle := wire.StartHandle{Portal: q.Portal.ID, ReturnPath: back, PreCookieHash: hash[:], Network: wire.NetworkOf(q.Address)}
	if fresh {
		handle.FreshAfter, handle.Why = now.UTC(), why
	}
	text, err := s.Sealer.Seal(wire.PurposeStartHandle, now.Add(wire.StartHandleLife), handle)
	if err != nil && back != "/" { // too long to be carried
		handle.ReturnPath = "/"
		text, err = s.Sealer.Seal(wire.PurposeStartHandle, now.Add(wire.StartHandleLife), handle)
	}
	if err != nil {
		s.fail(w, r, q, "sealing a start handle", err)
		return
	}
	setCookie(w, cookiePre, pre, int(wire.StartHandleLife/time.Second))
	goTo(w, s.SignIn+"?h="+text)
}

// callback ends a sign-in: the code, spent once, and the cookie of the browser
// that began it become a session.
func (s *Server) callback(w http.ResponseWriter, r *http.Request, q *question) {
	pre := cookie(r.Header["Cookie"], cookiePre)
	login, err := wire.Login{}, wire.ErrLoginRefused
	if pre != "" {
		login, err = s.Logins.Redeem(r.Context(), r.URL.Query().Get("code"), digest(pre), q.Portal.ID)
	}
	switch {
	case errors.Is(err, wire.ErrLoginRefused):
		s.callbackRefused(w, r, q, pre)
		return
	case err != nil:
		s.fail(w, r, q, "redeeming a login", err)
		return
	case login.Portal != q.Portal.ID:
		s.callbackRefused(w, r, q, pre)
		return
	case !wire.SameNetwork(login.Network, wire.NetworkOf(q.Address)):
		// The device was confirmed for the network that the sign-in began on.
		s.Pages.Fault(w, r, http.StatusForbidden, reason.New(reason.LoginNetworkMoved), startPath(login.ReturnPath, false))
		return
	}
	value, err := s.Sessions.Create(r.Context(), *q.Portal, login, q.Address, cookieDigest(r.Header))
	if err != nil {
		s.fail(w, r, q, "starting a session", err)
		return
	}
	setCookie(w, cookieSession, value, 0)
	setCookie(w, cookiePre, "", -1)
	goTo(w, returnPath(login.ReturnPath))
}

func (s *Server) callbackRefused(w http.ResponseWriter, r *http.Request, q *question, pre string) {
	page := q.AccessRequest
	page.Action, page.Navigation = wire.ActionRead, true
	if _, ok := s.Sessions.Admitted(page); ok {
		goTo(w, "/") // reloaded, or signed in by another tab: there is a session
		return
	}
	why := reason.New(reason.LoginRefused)
	if pre == "" {
		why = reason.New(reason.LoginOtherBrowser)
	}
	s.Pages.Fault(w, r, http.StatusForbidden, why, startPath("/", false))
}

// signOut ends the session of this portal.
func (s *Server) signOut(w http.ResponseWriter, r *http.Request, q *question) {
	if !ownOrigin(r.Header, q.Portal) {
		problem.Write(w, r, http.StatusForbidden, reason.New(reason.CrossSite))
		return
	}
	setCookie(w, cookieSession, "", -1)
	setCookie(w, cookiePre, "", -1)
	if err := s.Sessions.SignOut(r.Context(), q.Portal.ID, cookieDigest(r.Header)); err != nil {
		s.Logger.Error("sign-out not stored", "portal", q.Portal.ID, "error", err)
		s.Pages.Fault(w, r, http.StatusServiceUnavailable, reason.New(reason.SessionEndNotStored), startPath("/", false))
		return
	}
	goTo(w, "/.menshen/signed-out")
}

func (s *Server) signedOut(w http.ResponseWriter, r *http.Request, q *question) {
	s.Pages.SignedOut(w, r, *q.Portal, startPath("/", false))
}

func (s *Server) fail(w http.ResponseWriter, r *http.Request, q *question, what string, err error) {
	s.Logger.Error("failed", "what", what, "portal", q.Portal.ID, "error", err)
	s.Pages.Fault(w, r, http.StatusServiceUnavailable, reason.New(reason.Unavailable), startPath("/", false))
}

// returnPath returns path if it leads back to the portal, else its root.
func returnPath(path string) string {
	if wire.CheckReturnPath(path) != nil {
		return "/"
	}
	return path
}

// startPath is where a sign-in begins that comes back to a path; fresh asks for
// a new touch of the key.
func startPath(back string, fresh bool) string {
	path := "/.menshen/start?rd=" + url.QueryEscape(returnPath(back))
	if fresh {
		path += "&fresh=1"
	}
	return path
}

// signInAddress is where a script's person signs in again: it comes back to
// the page that the script runs on, as far as the browser tells.
func signInAddress(r *http.Request, q *question, fresh bool) string {
	return q.Portal.Origin + startPath(pageOf(r, q), fresh)
}

// signInAgain tells a script where its person signs in again.
func (s *Server) signInAgain(w http.ResponseWriter, r *http.Request, q *question, why wire.Reason, fresh bool) {
	w.Header().Set("WWW-Authenticate", challenge)
	problem.Write(w, r, http.StatusUnauthorized, why, problem.WithSignIn(signInAddress(r, q, fresh)))
}

// pageOf returns the path of the portal's page that a request was made from,
// as far as the browser tells.
func pageOf(r *http.Request, q *question) string {
	page, own := strings.CutPrefix(r.Header.Get("Referer"), q.Portal.Origin)
	if !own {
		return "/"
	}
	return returnPath(page)
}

// setCookie sets a cookie of the portal's host: for life seconds, for the
// browser's session with 0, or away with less.
func setCookie(w http.ResponseWriter, name, value string, life int) {
	text := name + "=" + value + "; Path=/; Secure; HttpOnly; SameSite=Lax"
	if life != 0 {
		text += fmt.Sprintf("; Max-Age=%d", max(0, life))
	}
	w.Header().Add("Set-Cookie", text)
}
