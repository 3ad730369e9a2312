// Package httpauth stands in for a library that the tests do not need: this
// build of Traefik knows neither basic nor digest authentication, and refuses both.
package httpauth

import "net/http"

// CheckSecret accepts no password.
func CheckSecret(string, string) bool { return false }

// BasicAuth refuses.
type BasicAuth struct {
	Realm   string
	Secrets func(user, realm string) string
}

// RequireAuth answers 401.
func (*BasicAuth) RequireAuth(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusUnauthorized)
}

// DigestAuth refuses.
type DigestAuth struct{}

// NewDigestAuthenticator returns one that refuses.
func NewDigestAuthenticator(string, func(user, realm string) string) *DigestAuth {
	return &DigestAuth{}
}

// DigestAuthParams returns nothing.
func DigestAuthParams(string) map[string]string { return nil }

// CheckAuth knows nobody.
func (*DigestAuth) CheckAuth(*http.Request) (string, *string) { return "", nil }

// RequireAuth answers 401.
func (*DigestAuth) RequireAuth(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusUnauthorized)
}

// RequireAuthStale answers 401.
func (*DigestAuth) RequireAuthStale(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusUnauthorized)
}
