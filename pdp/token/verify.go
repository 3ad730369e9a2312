package token

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/menshen-zt/menshen/internal/wire"
)

const (
	// maxToken bounds a presented token in bytes.
	maxToken = 16 << 10
	// skew is how far the clocks of this PDP's replicas may differ.
	skew = 5 * time.Second
)

// presented is what is read of a token that comes back. The audience is text:
// a list is not what Mint writes.
type presented struct {
	Issuer    string           `json:"iss"`
	Subject   string           `json:"sub"`
	Audience  string           `json:"aud"`
	ClientID  string           `json:"client_id"`
	Expires   *jwt.NumericDate `json:"exp"`
	IssuedAt  *jwt.NumericDate `json:"iat"`
	NotBefore *jwt.NumericDate `json:"nbf"`
	Session   string           `json:"sid"`
	// Confirmation binds a token to a key (RFC 7800).
	Confirmation json.RawMessage `json:"cnf"`
}

// Verify returns what a token says that Mint made for this portal and that has
// not expired (RFC 9068, 4). Its errors wrap wire.ErrTokenRefused and, for a
// genuine token that is bound to a key, wire.ErrTokenBound.
func (i *Issuer) Verify(text string, portal *wire.Portal) (wire.PresentedToken, error) {
	refused := func(why string) (wire.PresentedToken, error) {
		return wire.PresentedToken{}, fmt.Errorf("token: %w: %s", wire.ErrTokenRefused, why)
	}
	if text == "" || len(text) > maxToken {
		return refused("none, or too long")
	}
	parsed, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return refused("not an ES256 JWT")
	}
	if len(parsed.Headers) != 1 {
		return refused("not one signature")
	}
	// What a header may say: RFC 9068 asks for typ, and the key is this PDP's.
	header := parsed.Headers[0]
	if len(header.ExtraHeaders) != 1 || header.ExtraHeaders[jose.HeaderType] != "at+jwt" || header.JSONWebKey != nil {
		return refused("not the header of an access token")
	}
	key, err := i.signed(portal.Agency, header.KeyID)
	if err != nil {
		return refused("not a key that signs for the portal's agency")
	}
	var c presented
	if err := parsed.Claims(key, &c); err != nil {
		return refused("its signature is wrong, or its claims are no access token's")
	}
	if why := c.fault(i.issuer(portal.Agency), portal, i.clock()); why != "" {
		return refused(why)
	}
	if len(c.Confirmation) > 0 {
		return wire.PresentedToken{}, fmt.Errorf("token: %w", wire.ErrTokenBound)
	}
	return wire.PresentedToken{Portal: portal.ID, Session: c.Session, Expires: c.Expires.Time()}, nil
}

// fault says what is wrong with the claims of a token that was signed here.
func (c *presented) fault(issuer string, portal *wire.Portal, now time.Time) string {
	switch {
	case c.Issuer != issuer:
		return "another issuer's"
	case c.Audience != portal.Origin || portal.Origin == "" || c.ClientID != portal.ID:
		return "for another portal"
	case c.Subject == "" || c.Session == "":
		return "of nobody, or of no session"
	case c.Expires == nil || c.IssuedAt == nil:
		return "without its times"
	case !c.Expires.Time().After(now):
		return "expired"
	case c.IssuedAt.Time().After(now.Add(skew)) || (c.NotBefore != nil && c.NotBefore.Time().After(now.Add(skew))):
		return "of the future"
	case c.Expires.Time().Sub(c.IssuedAt.Time()) > MaxLife+time.Second: // both are cut to seconds
		return "lasts too long"
	}
	return ""
}

// signed returns the public key of this id that signs for an agency, or has
// signed what may not have expired yet. The next key has signed nothing.
func (i *Issuer) signed(agency, id string) (any, error) {
	r, err := i.ring(agency, i.access, false)
	if err != nil {
		return nil, err
	}
	if id == "" || (id != r.state.Current && id != r.state.Previous) {
		return nil, errKey
	}
	for _, k := range r.public.Key(id) {
		return k.Key, nil
	}
	return nil, errKey
}
