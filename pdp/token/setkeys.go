package token

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

var (
	// ErrSETForm is returned for what is not a compact JWS of typ secevent+jwt
	// with RS256 or ES256.
	ErrSETForm = errors.New("token: not a security event token")
	// ErrSETKey is returned for a token that no key of its sender signed.
	ErrSETKey = errors.New("token: not signed with a key of its sender")
	// ErrKeys is returned for a key set that names no usable signing key.
	ErrKeys = errors.New("token: no usable signing keys")
)

const (
	leastRSA  = 2048 // bits; CAEP Interoperability Profile 1.0, 2.7
	mostKeys  = 16
	setType   = "secevent+jwt"
	mediaType = "application/"
)

// Keys are the public signing keys of a sender of security events.
type Keys struct{ byID map[string]jose.JSONWebKey }

// ParseKeys reads a JWK set (RFC 7517). Keys without an id, for encryption, or
// of a kind that is not accepted are left out; private ones are refused.
func ParseKeys(raw []byte) (*Keys, error) {
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(raw, &set); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeys, err)
	}
	if len(set.Keys) > mostKeys {
		return nil, fmt.Errorf("%w: more than %d", ErrKeys, mostKeys)
	}
	keys := &Keys{byID: map[string]jose.JSONWebKey{}}
	for _, k := range set.Keys {
		if !k.IsPublic() {
			return nil, fmt.Errorf("%w: a secret one is among them", ErrKeys)
		}
		if _, twice := keys.byID[k.KeyID]; twice {
			return nil, fmt.Errorf("%w: two of one id", ErrKeys)
		}
		if k.KeyID != "" && (k.Use == "" || k.Use == "sig") && algorithmOf(k) != "" {
			keys.byID[k.KeyID] = k
		}
	}
	if len(keys.byID) == 0 {
		return nil, ErrKeys
	}
	return keys, nil
}

// algorithmOf returns the one algorithm that a key may sign with, empty if none.
func algorithmOf(k jose.JSONWebKey) jose.SignatureAlgorithm {
	var a jose.SignatureAlgorithm
	switch key := k.Key.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() >= leastRSA {
			a = jose.RS256
		}
	case *ecdsa.PublicKey:
		if key.Curve == elliptic.P256() {
			a = jose.ES256
		}
	}
	if k.Algorithm != "" && k.Algorithm != string(a) {
		return ""
	}
	return a
}

// Verify checks form, type and signature of a Security Event Token and
// returns its claims. The key is chosen among keys by its id; nothing that the
// token brings along is used as one. Errors wrap ErrSETForm or ErrSETKey.
func (keys *Keys) Verify(compact string) (claims []byte, err error) {
	parsed, err := jose.ParseSignedCompact(compact, []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSETForm, err)
	}
	header := parsed.Signatures[0].Protected
	typ, _ := header.ExtraHeaders[jose.HeaderType].(string)
	if strings.TrimPrefix(strings.ToLower(typ), mediaType) != setType {
		return nil, fmt.Errorf("%w: it is of another type", ErrSETForm)
	}
	for name := range header.ExtraHeaders {
		if name == "crit" || name == "b64" {
			return nil, fmt.Errorf("%w: extensions", ErrSETForm)
		}
	}
	key, known := keys.byID[header.KeyID]
	if !known || string(algorithmOf(key)) != header.Algorithm {
		return nil, ErrSETKey
	}
	claims, err = parsed.Verify(key)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSETKey, err)
	}
	return claims, nil
}
