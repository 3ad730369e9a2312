package token

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
)

// cacheLife is how long portals may keep keys and metadata.
const cacheLife = 5 * time.Minute

// Paths that Handler answers.
const (
	jwksPrefix     = "/a/"
	jwksSuffix     = "/jwks.json"
	metadataPrefix = "/.well-known/oauth-authorization-server/a/"
)

// metadata is RFC 8414's, as far as there are endpoints.
type metadata struct {
	Issuer  string `json:"issuer"`
	JWKSURI string `json:"jwks_uri"`
	// ResponseTypes must be there; no authorization endpoint answers yet.
	ResponseTypes []string `json:"response_types_supported"`
}

// Handler publishes /a/<agency>/jwks.json and the metadata at
// /.well-known/oauth-authorization-server/a/<agency> (RFC 8414, 3.1).
func (i *Issuer) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+jwksPrefix+"{agency}"+jwksSuffix, func(w http.ResponseWriter, r *http.Request) {
		i.publish(w, r, func(set jose.JSONWebKeySet, _ string) any { return set })
	})
	mux.HandleFunc("GET "+metadataPrefix+"{agency}", func(w http.ResponseWriter, r *http.Request) {
		i.publish(w, r, func(_ jose.JSONWebKeySet, issuer string) any {
			return metadata{Issuer: issuer, JWKSURI: issuer + jwksSuffix, ResponseTypes: []string{"none"}}
		})
	})
	return mux
}

// JWKS returns the public keys that an agency publishes: those of access tokens,
// and those of security events where it has such keys.
func (i *Issuer) JWKS(agency string) (jose.JSONWebKeySet, error) {
	access, err := i.ring(agency, i.access, false)
	if err != nil {
		return jose.JSONWebKeySet{}, err
	}
	i.mu.RLock()
	mute := i.mute[agency]
	i.mu.RUnlock()
	if mute {
		return access.public, nil
	}
	events, err := i.ring(agency, i.events, false)
	switch {
	case errors.Is(err, ErrNoKeys):
		i.mu.Lock()
		i.mute[agency] = i.rings[ringKey{agency, i.events}] == nil
		i.mu.Unlock()
		return access.public, nil
	case err != nil:
		return jose.JSONWebKeySet{}, err
	}
	return jose.JSONWebKeySet{Keys: slices.Concat(access.public.Keys, events.public.Keys)}, nil
}

func (i *Issuer) publish(w http.ResponseWriter, r *http.Request, document func(jose.JSONWebKeySet, string) any) {
	agency := r.PathValue("agency")
	set, err := i.JWKS(agency)
	switch {
	case errors.Is(err, ErrNoKeys), errors.Is(err, errAgency):
		problem.Write(w, r, http.StatusNotFound, reason.New(reason.NotFound))
		return
	case err != nil:
		problem.Write(w, r, http.StatusInternalServerError, reason.New(reason.Internal))
		return
	}
	body, err := json.Marshal(document(set, i.issuer(agency)))
	if err != nil {
		problem.Write(w, r, http.StatusInternalServerError, reason.New(reason.Internal))
		return
	}
	sum := sha256.Sum256(body)
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
	h := w.Header()
	h.Set("Cache-Control", "public, max-age="+strconv.Itoa(int(cacheLife/time.Second)))
	h.Set("ETag", tag)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Access-Control-Allow-Origin", "*") // public keys
	if strings.Contains(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // the peer is gone; nothing is left to tell it
}
