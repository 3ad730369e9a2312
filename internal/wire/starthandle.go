package wire

import (
	"errors"
	"net/url"
	"path"
	"strings"
	"time"
)

// The values that travel from a portal's host to the PDP's own origin and back
// during a sign-in (design: protocols, Portal session).

// PurposeStartHandle is the purpose under which a StartHandle is sealed.
const PurposeStartHandle = "start-handle"

// StartHandleLife is how long a StartHandle may be used.
const StartHandleLife = 10 * time.Minute

// StartHandle is what /.menshen/start on a portal's host seals for the sign-in
// page: the page and the browser carry it, and can neither read nor change it.
type StartHandle struct {
	Portal     string `json:"portal"`
	ReturnPath string `json:"return_path"` // as CheckReturnPath accepts it
	// PreCookieHash is SHA-256 of the pre-session cookie's value.
	PreCookieHash []byte `json:"pre_cookie_hash"`
	// Network is where that portal's proxy saw the browser: IPv4 /24 or IPv6 /56.
	Network string `json:"network"`
	// FreshAfter asks for a new touch of the key: a sign-in before it does not
	// do. Zero where the PDP's own session may answer for the key.
	FreshAfter time.Time `json:"fresh_after,omitzero"`
	// Why says what a new touch is asked for; at most MaxWhy reasons.
	Why []Reason `json:"why,omitempty"`
}

// MaxWhy bounds the reasons that a StartHandle carries.
const MaxWhy = 4

// SignInPage is what the sign-in page tells: where the sign-in leads to, and
// why a new touch of the key is asked for, if one is.
type SignInPage struct {
	Portal Portal
	Why    []Reason
}

// ErrLoginRefused is returned for a login code that is unknown, spent, expired,
// or presented with another browser's cookie or by another portal.
var ErrLoginRefused = errors.New("wire: login code refused")

// Login is what a redeemed login code gives to the callback on the portal's host.
type Login struct {
	SignIn     SignIn        `json:"sign_in"`
	Binding    DeviceBinding `json:"binding"`
	Portal     string        `json:"portal"`
	ReturnPath string        `json:"return_path"`
	// Network is the StartHandle's: the portal's proxy saw the browser there.
	Network string `json:"network"`
}

// MaxReturnPath bounds a return path, in bytes.
const MaxReturnPath = 8 << 10

// ErrReturnPath is returned for a return path that could lead off its own host.
var ErrReturnPath = errors.New("wire: not a path on this host")

// CheckReturnPath reports ErrReturnPath unless target is an origin-form request
// target (RFC 9112, 3.2.1) that every browser resolves on the same host: one
// leading slash, no empty segment, no backslash, and only printable ASCII,
// because browsers drop tabs and line ends before they look for "//". The PDP's
// own addresses under /.menshen/ are refused, however they are spelled: returning
// there would go round in circles. So are dot segments and broken escapes, which
// programs resolve differently.
func CheckReturnPath(target string) error {
	if len(target) > MaxReturnPath || !strings.HasPrefix(target, "/") {
		return ErrReturnPath
	}
	for i := range len(target) {
		if c := target[i]; c <= ' ' || c > '~' || c == '\\' || c == '#' {
			return ErrReturnPath
		}
	}
	before, _, _ := strings.Cut(target, "?")
	decoded, err := url.PathUnescape(before)
	if err != nil || strings.Contains(before, "//") || leadsToMenshen(decoded) {
		return ErrReturnPath
	}
	for segment := range strings.SplitSeq(decoded, "/") {
		if segment == "." || segment == ".." {
			return ErrReturnPath
		}
	}
	return nil
}

// leadsToMenshen takes slashes together, as proxies do with those they decoded.
func leadsToMenshen(decoded string) bool {
	return strings.HasPrefix(path.Clean(decoded)+"/", "/.menshen/")
}
