package token

import (
	"context"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/menshen-zt/menshen/internal/wire"
)

// claims are those of RFC 9068, 2.2, and this product's own. They carry what
// SP 800-63C-4 wants a relying party to read (requirements 18).
type claims struct {
	Issuer   string           `json:"iss"`
	Subject  string           `json:"sub"`
	Audience string           `json:"aud"`
	Expires  *jwt.NumericDate `json:"exp"`
	IssuedAt *jwt.NumericDate `json:"iat"`
	ID       string           `json:"jti"`
	ClientID string           `json:"client_id"` // the portal

	AuthTime *jwt.NumericDate `json:"auth_time"`
	ACR      string           `json:"acr"`
	AMR      []string         `json:"amr"`

	Name         string   `json:"name"`
	Account      string   `json:"preferred_username"`
	Agency       string   `json:"agency"`
	AgencyNameZH string   `json:"agency_name_zh"`
	AgencyNameEN string   `json:"agency_name_en"`
	Groups       []string `json:"groups,omitempty"`

	Device   deviceClaims `json:"device"`
	Trust    trustClaims  `json:"trust"`
	ReadOnly bool         `json:"read_only"`
	Session  string       `json:"sid"`
	Decision string       `json:"decision"`
	// TestKey warns that an explicit setting let a test authenticator in.
	TestKey bool `json:"test_key,omitempty"`
}

// deviceClaims say how far the device can be relied on.
type deviceClaims struct {
	ID         string           `json:"id"`
	Provenance wire.Provenance  `json:"provenance"`
	Standing   wire.Standing    `json:"standing"`
	Vector     wire.TrustVector `json:"vector"`
}

type trustClaims struct {
	Score    int     `json:"score"`
	Coverage float64 `json:"coverage"`
}

// Mint makes the access token of an allow. The portal's agency issues it. It
// lasts as long as the decision, within the obligations and MaxLife.
func (i *Issuer) Mint(ctx context.Context, session string, facts *wire.Facts, d *wire.Decision) (token string, expires time.Time, err error) {
	if d.Effect != wire.Allow || facts.Portal.Origin == "" || facts.Person.ID == "" {
		return "", time.Time{}, fmt.Errorf("token: nothing was allowed to anybody")
	}
	ring, err := i.ring(facts.Portal.Agency, i.access, true)
	if err != nil {
		return "", time.Time{}, err
	}
	home, err := i.agencies.Agency(ctx, facts.Person.Agency)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("token: agency %s: %w", facts.Person.Agency, err)
	}
	id, err := wire.NewID("tok", i.random)
	if err != nil {
		return "", time.Time{}, err
	}
	now := i.clock()
	expires = now.Add(life(now, d)).Truncate(time.Second)
	text, err := jwt.Signed(ring.signer).Claims(claims{
		Issuer: i.issuer(facts.Portal.Agency), Subject: facts.Person.ID, Audience: facts.Portal.Origin, ID: id, ClientID: facts.Portal.ID,
		Expires: jwt.NewNumericDate(expires), IssuedAt: jwt.NewNumericDate(now), AuthTime: jwt.NewNumericDate(facts.SignIn.At),
		ACR: acr(facts.SignIn.AAL), AMR: append([]string{}, facts.SignIn.AMR...),
		Name: facts.Person.Name, Account: facts.Person.Account, Groups: facts.Person.Groups,
		Agency: home.ID, AgencyNameZH: home.NameZH, AgencyNameEN: home.NameEN,
		Device:   deviceClaims{ID: facts.Device.ID, Provenance: facts.Device.Provenance, Standing: facts.Standing.Standing, Vector: facts.Standing.Result.Vector},
		Trust:    trustClaims{Score: facts.Trust.Score, Coverage: facts.Trust.Coverage},
		ReadOnly: d.Obligations.ReadOnly, Session: session, Decision: d.ID, TestKey: facts.SignIn.TestKey,
	}).Serialize()
	if err != nil {
		return "", time.Time{}, fmt.Errorf("token: %w", err)
	}
	return text, expires, nil
}

func life(now time.Time, d *wire.Decision) time.Duration {
	limit := MaxLife
	if d.Obligations.MaxTokenLife > 0 {
		limit = min(limit, d.Obligations.MaxTokenLife)
	}
	return min(limit, max(minLife, d.ValidUntil.Sub(now)))
}

func acr(aal int) string { return fmt.Sprintf("urn:menshen:aal:%d", aal) }

func (i *Issuer) issuer(agency string) string { return i.origin + "/a/" + agency }
