package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	maxToken = 16 << 10
	maxKeys  = 64 << 10
	// leeway is how far this machine's clock may be off.
	leeway = 10 * time.Second
	// maxLife is what this portal bears, whatever a token says.
	maxLife = 5 * time.Minute
	// fetchEvery keeps a token with an invented key id from asking the issuer
	// for keys again and again; keepKeys is how long keys serve unasked.
	fetchEvery = 5 * time.Second
	keepKeys   = 5 * time.Minute
)

// claims is what this portal reads of a token.
type claims struct {
	jwt.Claims
	ClientID     string `json:"client_id"`
	Name         string `json:"name"`
	Account      string `json:"preferred_username"`
	Agency       string `json:"agency"`
	AgencyNameZH string `json:"agency_name_zh"`
	AgencyNameEN string `json:"agency_name_en"`
	ACR          string `json:"acr"`
	ReadOnly     bool   `json:"read_only"`
	Device       struct {
		ID string `json:"id"`
	} `json:"device"`
	Trust struct {
		Score int `json:"score"`
	} `json:"trust"`
	TestKey bool `json:"test_key"`
}

// errToken is wrapped by everything that is wrong with a token.
var errToken = errors.New("access token refused")

// verifier checks access tokens. It is safe for concurrent use.
type verifier struct {
	issuer, audience string
	client           *http.Client
	clock            func() time.Time

	mu      sync.Mutex
	keys    jose.JSONWebKeySet
	fetched time.Time // last success
	tried   time.Time
}

func newVerifier(issuer, origin, ca string, clock func() time.Time) (*verifier, error) {
	for name, value := range map[string]string{"-issuer": issuer, "-origin": origin} {
		u, err := url.Parse(value)
		if err != nil || u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || strings.HasSuffix(value, "/") {
			return nil, fmt.Errorf("%s must be an https address without a slash at its end", name)
		}
	}
	trust := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		pem, err := os.ReadFile(ca) // #nosec G304 -- the operator names the file
		if err != nil {
			return nil, err
		}
		trust.RootCAs = x509.NewCertPool()
		if !trust.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", ca)
		}
	}
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: trust},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &verifier{issuer: issuer, audience: origin, client: client, clock: clock}, nil
}

// verify returns the claims of a token that is meant for this portal, now.
func (v *verifier) verify(ctx context.Context, text string) (claims, error) {
	if text == "" || len(text) > maxToken {
		return claims{}, fmt.Errorf("%w: none, or too long", errToken)
	}
	// The list of algorithms is this portal's, never the token's.
	parsed, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return claims{}, fmt.Errorf("%w: %w", errToken, err)
	}
	if len(parsed.Headers) != 1 || parsed.Headers[0].ExtraHeaders[jose.HeaderType] != "at+jwt" {
		return claims{}, fmt.Errorf("%w: not of type at+jwt", errToken)
	}
	key, err := v.key(ctx, parsed.Headers[0].KeyID)
	if err != nil {
		return claims{}, err
	}
	var c claims
	if err := parsed.Claims(key, &c); err != nil {
		return claims{}, fmt.Errorf("%w: %w", errToken, err)
	}
	if c.Expiry == nil || c.IssuedAt == nil || c.Expiry.Time().Sub(c.IssuedAt.Time()) > maxLife {
		return claims{}, fmt.Errorf("%w: lasts too long", errToken)
	}
	expected := jwt.Expected{Issuer: v.issuer, AnyAudience: jwt.Audience{v.audience}, Time: v.clock()}
	if err := c.ValidateWithLeeway(expected, leeway); err != nil {
		return claims{}, fmt.Errorf("%w: %w", errToken, err)
	}
	if len(c.Audience) != 1 || c.Subject == "" {
		return claims{}, fmt.Errorf("%w: for several, or of nobody", errToken)
	}
	return c, nil
}

// key returns the issuer's public key of this id. It asks the issuer when the
// keys are old or the id is new, and not more often than every fetchEvery.
func (v *verifier) key(ctx context.Context, id string) (any, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.clock()
	found := v.keys.Key(id)
	if (len(found) == 0 || now.Sub(v.fetched) >= keepKeys) && now.Sub(v.tried) >= fetchEvery {
		v.tried = now
		if err := v.fetch(ctx); err != nil && len(found) == 0 {
			return nil, err
		}
		found = v.keys.Key(id)
	}
	if id == "" || len(found) != 1 || !found[0].IsPublic() {
		return nil, fmt.Errorf("%w: its key is not the issuer's", errToken)
	}
	return found[0].Key, nil
}

// fetch needs v.mu.
func (v *verifier) fetch(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, v.issuer+"/jwks.json", nil)
	if err != nil {
		return err
	}
	answer, err := v.client.Do(request)
	if err != nil {
		return fmt.Errorf("asking the issuer for its keys: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("asking the issuer for its keys: %s", answer.Status)
	}
	var keys jose.JSONWebKeySet
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxKeys)).Decode(&keys); err != nil {
		return fmt.Errorf("reading the issuer's keys: %w", err)
	}
	v.keys, v.fetched = keys, v.clock()
	return nil
}
