package web

import (
	"net/http"
	"strconv"
)

// The content security policy of every page: nothing but its own files, no
// inline script or style, no frame around it, and no string becomes script.
const (
	policyBefore = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'"
	policyAfter  = "; form-action 'none'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
	policy       = policyBefore + policyAfter
)

// signInPolicy also lets the page ask the agent on its laptop.
func signInPolicy(agentPort int) string {
	return policyBefore + " http://127.0.0.1:" + strconv.Itoa(agentPort) + policyAfter
}

// What a page may ask of the browser. Chromium called the loopback permission
// local-network-access before it was split.
const (
	permissionsNone     = "publickey-credentials-get=(), publickey-credentials-create=(), loopback-network=(), local-network=(), local-network-access=()" + permissionsOff
	permissionsSignIn   = "publickey-credentials-get=(self), publickey-credentials-create=(), loopback-network=(self), local-network=(), local-network-access=(self)" + permissionsOff
	permissionsRegister = "publickey-credentials-get=(), publickey-credentials-create=(self), loopback-network=(), local-network=(), local-network-access=()" + permissionsOff
	permissionsOff      = ", camera=(), microphone=(), geolocation=(), usb=(), serial=(), hid=(), payment=()"
)

func setHeaders(h http.Header, csp, permissions string) {
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", csp)
	h.Set("Permissions-Policy", permissions)
	h.Set("Cache-Control", "no-store")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Add("Vary", "Accept-Language, Cookie")
}
