package ssf

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"time"
)

// Prefix is that of CAEP's event types (CAEP 1.0, 3).
const Prefix = "https://schemas.openid.net/secevent/caep/event-type/"

// FrameworkPrefix is that of the framework's own event types (SSF 1.0, 8.1).
const FrameworkPrefix = "https://schemas.openid.net/secevent/ssf/event-type/"

// Event is one event that was received and found sound.
type Event struct {
	ID      string // jti
	Type    string
	Subject map[string]any // sub_id
	Body    map[string]any
	Claims  map[string]any
}

// Text is the member of the event's body with this name, as text.
func (e Event) Text(name string) string { return fmt.Sprint(e.Body[name]) }

// Member is one member of a complex subject, as format and value.
func (e Event) Member(name string) string {
	m, ok := e.Subject[name].(map[string]any)
	if !ok {
		return ""
	}
	switch m["format"] {
	case "opaque":
		return fmt.Sprint(m["id"])
	case "iss_sub":
		return fmt.Sprint(m["iss"], " ", m["sub"])
	}
	return "?"
}

// keys are an issuer's RSA keys by id.
type keys map[string]*rsa.PublicKey

// fetchKeys reads a JWK set (RFC 7517; RFC 7518, 6.3.1).
func fetchKeys(ctx context.Context, client *http.Client, at string) (keys, error) {
	var set struct {
		Keys []struct{ Kty, Kid, Alg, Use, N, E, D string }
	}
	if err := getJSON(ctx, client, at, "", &set); err != nil {
		return nil, err
	}
	found := keys{}
	for _, k := range set.Keys {
		if k.D != "" {
			return nil, errors.New("a private key is published")
		}
		if k.Kty != "RSA" || k.Use != "sig" || k.Alg != "RS256" {
			continue
		}
		n, err := base64.RawURLEncoding.DecodeString(k.N)
		if err != nil {
			return nil, err
		}
		e, err := base64.RawURLEncoding.DecodeString(k.E)
		if err != nil {
			return nil, err
		}
		found[k.Kid] = &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	}
	return found, nil
}

// read verifies one SET and takes it apart. Each demand is one of the
// specifications'.
func read(compact string, from keys, issuer, audience string, now time.Time) (Event, error) {
	parts := strings.Split(compact, ".")
	if len(parts) != 3 {
		return Event{}, errors.New("not a compact JWS")
	}
	var raw [3][]byte
	for i, part := range parts {
		var err error
		if raw[i], err = base64.RawURLEncoding.DecodeString(part); err != nil {
			return Event{}, fmt.Errorf("part %d: %w", i, err)
		}
	}
	var header struct{ Alg, Typ, Kid string }
	if err := json.Unmarshal(raw[0], &header); err != nil {
		return Event{}, err
	}
	key := from[header.Kid]
	switch {
	case header.Alg != "RS256": // interoperability profile, 2.7
		return Event{}, fmt.Errorf("alg %q", header.Alg)
	case header.Typ != "secevent+jwt": // SSF 1.0, 4.1.4
		return Event{}, fmt.Errorf("typ %q", header.Typ)
	case key == nil:
		return Event{}, fmt.Errorf("key %q is not published", header.Kid)
	case key.N.BitLen() < 2048:
		return Event{}, fmt.Errorf("a key of %d bits", key.N.BitLen())
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], raw[2]); err != nil {
		return Event{}, err
	}
	return take(raw[1], issuer, audience, now)
}

// take checks the claims (RFC 8417, 2.2; SSF 1.0, 4.1).
func take(raw []byte, issuer, audience string, now time.Time) (Event, error) {
	e := Event{}
	if err := json.Unmarshal(raw, &e.Claims); err != nil {
		return e, err
	}
	for _, forbidden := range []string{"sub", "exp"} {
		if _, there := e.Claims[forbidden]; there {
			return e, fmt.Errorf("a claim %s", forbidden)
		}
	}
	issuedAt, _ := e.Claims["iat"].(float64)
	e.ID, _ = e.Claims["jti"].(string)
	e.Subject, _ = e.Claims["sub_id"].(map[string]any)
	events, _ := e.Claims["events"].(map[string]any)
	switch {
	case e.Claims["iss"] != issuer:
		return e, fmt.Errorf("iss %v", e.Claims["iss"])
	case e.Claims["aud"] != audience:
		return e, fmt.Errorf("aud %v", e.Claims["aud"])
	case issuedAt == 0 || time.Unix(int64(issuedAt), 0).After(now.Add(time.Minute)):
		return e, fmt.Errorf("iat %v", e.Claims["iat"])
	case e.ID == "":
		return e, errors.New("no jti")
	case e.Subject["format"] == nil:
		return e, errors.New("no sub_id with a format")
	case len(events) != 1:
		return e, fmt.Errorf("%d events", len(events))
	}
	for kind, body := range events {
		e.Type = kind
		if e.Body, _ = body.(map[string]any); e.Body == nil {
			return e, errors.New("an event without a body")
		}
	}
	return e, e.check()
}

// check holds an event against its own type (CAEP 1.0, 2 and 3).
func (e Event) check() error {
	oneOf := func(name string, allowed ...string) error {
		for _, a := range allowed {
			if e.Body[name] == a {
				return nil
			}
		}
		return fmt.Errorf("%s is %v", name, e.Body[name])
	}
	if at, given := e.Body["event_timestamp"]; given {
		if seconds, ok := at.(float64); !ok || seconds < 1e9 || seconds > 1e11 { // NumericDate, not milliseconds
			return fmt.Errorf("event_timestamp %v", at)
		}
	}
	if e.Body["initiating_entity"] != nil {
		if err := oneOf("initiating_entity", "admin", "user", "policy", "system"); err != nil {
			return err
		}
	}
	switch e.Type {
	case Prefix + "session-revoked":
		reasons, _ := e.Body["reason_admin"].(map[string]any) // interoperability profile, 3.1
		if len(reasons) == 0 || reasons["en"] == "" {
			return errors.New("no reason_admin")
		}
		return nil
	case Prefix + "device-compliance-change":
		return errors.Join(oneOf("previous_status", "compliant", "not-compliant"), oneOf("current_status", "compliant", "not-compliant"))
	case Prefix + "assurance-level-change":
		return errors.Join(oneOf("namespace", "NIST-AAL"), oneOf("current_level", "nist-aal1", "nist-aal2", "nist-aal3"),
			oneOf("previous_level", "nist-aal1", "nist-aal2", "nist-aal3"), oneOf("change_direction", "increase", "decrease"))
	case Prefix + "risk-level-change":
		if e.Body["previous_level"] != nil {
			if err := oneOf("previous_level", "LOW", "MEDIUM", "HIGH"); err != nil {
				return err
			}
		}
		return errors.Join(oneOf("principal", "USER", "DEVICE", "SESSION", "TENANT", "ORG_UNIT", "GROUP"), oneOf("current_level", "LOW", "MEDIUM", "HIGH"))
	case FrameworkPrefix + "verification":
		return e.ofStream()
	case FrameworkPrefix + "stream-updated":
		return errors.Join(e.ofStream(), oneOf("status", "enabled", "paused", "disabled"))
	}
	return fmt.Errorf("an event of type %q", e.Type)
}

func (e Event) ofStream() error {
	if e.Subject["format"] != "opaque" || e.Subject["id"] == nil {
		return fmt.Errorf("sub_id is %v", e.Subject)
	}
	return nil
}
