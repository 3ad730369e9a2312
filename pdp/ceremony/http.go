package ceremony

import (
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"github.com/menshen-zt/menshen/internal/admission"
	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Cookies of the PDP's own origin. The __Host- prefix keeps other hosts of the
// domain from setting them (RFC 6265bis, 4.1.3.2).
const (
	cookieSession      = "__Host-menshen"
	cookieCeremony     = "__Host-menshen-ceremony"
	cookieRegistration = "__Host-menshen-registration"
)

// Bounds of the request bodies. A start handle has 16 KB at most.
const (
	limitHandle     = 24 << 10
	limitCredential = 64 << 10
	limitSmall      = 1 << 10
)

// bodyTime is how long a request's body may take to arrive.
const bodyTime = 5 * time.Second

// Handler answers everything under /ceremony/:
//
//	POST /ceremony/sign-in/start    {handle} → {key_needed, options, device_nonce, agent_port, …}
//	POST /ceremony/sign-in/key      {credential} → {person}
//	POST /ceremony/sign-in/device   {handle, return_code} → {redirect}
//	POST /ceremony/sign-out         {} → {}
//	POST /ceremony/register/start   {secret} → {options, person, …}
//	POST /ceremony/register/finish  {nickname, credential} → {model, keys, next}
//
// Refusals are problem documents (RFC 9457) with a reason code.
func (c *Ceremony) Handler() http.Handler {
	mux := http.NewServeMux()
	for path, step := range map[string]http.HandlerFunc{
		"/ceremony/sign-in/start":   read(c, limitHandle, c.startSignIn),
		"/ceremony/sign-in/key":     read(c, limitCredential, c.proveKey),
		"/ceremony/sign-in/device":  read(c, limitHandle, c.proveDevice),
		"/ceremony/sign-out":        read(c, limitSmall, c.signOut),
		"/ceremony/register/start":  read(c, limitSmall, c.startRegistration),
		"/ceremony/register/finish": read(c, limitCredential, c.finishRegistration),
	} {
		mux.Handle(path, c.guard(step))
	}
	mux.HandleFunc("/ceremony/", func(w http.ResponseWriter, r *http.Request) {
		problem.Write(w, r, http.StatusNotFound, reason.New(reason.NotFound))
	})
	return mux
}

// guard lets only the PDP's own pages through: browsers put Origin on every
// POST and no script can forge it. Sec-Fetch-Site agrees where it is sent.
func (c *Ceremony) guard(step http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			problem.Write(w, r, http.StatusMethodNotAllowed, reason.New(reason.WrongMethod))
			return
		}
		origin, site := r.Header.Values("Origin"), r.Header.Get("Sec-Fetch-Site")
		if len(origin) != 1 || origin[0] != c.origin || (site != "" && site != "same-origin") {
			c.answerRefusal(w, r, "guard", refuse(reason.KeyForeignPage, nil))
			return
		}
		step(w, r)
	})
}

// read reads a step's whole request and only then waits for its turn: slow
// senders wait at their own cost, and not for long.
func read[T any](c *Ceremony, limit int64, step func(http.ResponseWriter, *http.Request, T)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if err := control.SetReadDeadline(time.Now().Add(bodyTime)); err != nil {
			c.answerRefusal(w, r, "read", fmt.Errorf("ceremony: %w", err))
			return
		}
		var request T
		if !problem.ReadJSON(w, r, limit, &request) {
			return
		}
		// Left standing, it would end the step's context.
		if err := control.SetReadDeadline(time.Time{}); err != nil {
			c.answerRefusal(w, r, "read", fmt.Errorf("ceremony: %w", err))
			return
		}
		leave, ok := c.gate.Enter(r.Context())
		if !ok {
			problem.Write(w, r, http.StatusServiceUnavailable, admission.Busy(w.Header()))
			return
		}
		defer leave()
		step(w, r, request)
	}
}

// Shed returns how many requests were told to come again.
func (c *Ceremony) Shed() uint64 { return c.gate.Shed() }

func setCookie(w http.ResponseWriter, name, value string, life time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: int(life / time.Second),
		Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
}

func clearCookie(w http.ResponseWriter, name string) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Path: "/", MaxAge: -1, Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
}

// cookie returns the one cookie of this name: two say that somebody planted one.
func cookie(r *http.Request, name string) (string, bool) {
	found := r.CookiesNamed(name)
	if len(found) != 1 || found[0].Value == "" {
		return "", false
	}
	return found[0].Value, true
}

// browserNetwork is the network that the browser's connection comes from. The
// web listener is reached directly, so no header is believed.
func browserNetwork(r *http.Request) string { return wire.NetworkOf(browserAddress(r)) }

func browserAddress(r *http.Request) netip.Addr {
	address, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return address.Addr()
}
