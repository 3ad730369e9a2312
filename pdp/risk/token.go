package risk

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/strictjson"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// Event types that are heard (CAEP 1.0, 3.8 and 3.5), and those that tell of the
// source's own stream (SSF 1.0, 8.1.4 and 8.1.5).
const (
	kindRisk          = "https://schemas.openid.net/secevent/caep/event-type/risk-level-change"
	kindCompliance    = "https://schemas.openid.net/secevent/caep/event-type/device-compliance-change"
	kindVerification  = "https://schemas.openid.net/secevent/ssf/event-type/verification"
	kindStreamUpdated = "https://schemas.openid.net/secevent/ssf/event-type/stream-updated"
)

// Error codes of RFC 8935, 2.4.
const (
	errRequest        = "invalid_request"
	errKey            = "invalid_key"
	errIssuer         = "invalid_issuer"
	errAudience       = "invalid_audience"
	errAuthentication = "authentication_failed"
)

// refusal says why a token is not taken.
type refusal struct {
	err string // of RFC 8935, 2.4
	why wire.Reason
}

func (r *refusal) Error() string { return "risk: " + r.err + ": " + r.why.Code }

func refused(err, code string, args ...string) error {
	return &refusal{err, reason.New(code, args...)}
}

func wrongClaim(name string) error {
	return refused(errRequest, reason.RiskClaimsWrong, "claim", name)
}

// claims are those of RFC 8417, 2.2, as SSF 1.0, 4.1, profiles them.
type claims struct {
	Issuer   string                     `json:"iss"`
	Audience json.RawMessage            `json:"aud"`
	ID       string                     `json:"jti"`
	IssuedAt *float64                   `json:"iat"`
	Expires  json.RawMessage            `json:"exp"`
	Subject  json.RawMessage            `json:"sub"`
	About    *identifier                `json:"sub_id"`
	Events   map[string]json.RawMessage `json:"events"`
}

// identifier is a subject identifier (RFC 9493, 3.2; SSF 1.0, 3.2).
type identifier struct {
	Format  string      `json:"format"`
	ID      string      `json:"id"`
	Issuer  string      `json:"iss"`
	Subject string      `json:"sub"`
	Email   string      `json:"email"`
	URI     string      `json:"uri"`
	User    *identifier `json:"user"`
	Device  *identifier `json:"device"`
	Session *identifier `json:"session"`
	Tenant  *identifier `json:"tenant"`
	Group   *identifier `json:"group"`
	Unit    *identifier `json:"org_unit"`
	App     *identifier `json:"application"`
}

// body are the members of both events that count.
type body struct {
	Principal string   `json:"principal"`
	Level     string   `json:"current_level"`
	Status    string   `json:"current_status"`
	At        *float64 `json:"event_timestamp"`
}

// heard is a token that was found sound. Without a statement it tells of the
// source's stream only.
type heard struct {
	id        string
	issuedAt  time.Time
	statement *statement
}

// hear verifies a token of a source's. Every error is a *refusal, but for those
// of the directory.
func (l *Listener) hear(ctx context.Context, from *source, by KeySet, compact string) (heard, error) {
	raw, err := by.Verify(compact)
	switch {
	case errors.Is(err, ErrKey):
		from.keys.doubt()
		return heard{}, refused(errKey, reason.RiskKeyUnknown)
	case err != nil:
		return heard{}, refused(errRequest, reason.RiskNotAnEvent)
	}
	var c claims
	if err := strictjson.UnmarshalOpen(raw, &c); err != nil {
		return heard{}, refused(errRequest, reason.RiskNotAnEvent)
	}
	h, err := l.frame(from, &c)
	if err != nil {
		return heard{}, err
	}
	h.statement, err = l.content(ctx, from, &c, h.issuedAt)
	return h, err
}

// frame checks whom a token is from, whom it is for, and when.
func (l *Listener) frame(from *source, c *claims) (heard, error) {
	if c.Issuer != from.Issuer {
		return heard{}, refused(errIssuer, reason.RiskIssuerOther)
	}
	if !only(c.Audience, l.issuer(from.Agency)) {
		return heard{}, refused(errAudience, reason.RiskAudienceOther)
	}
	switch {
	case c.Expires != nil: // SSF 1.0, 4.1.7
		return heard{}, wrongClaim("exp")
	case c.Subject != nil: // SSF 1.0, 4.1.3
		return heard{}, wrongClaim("sub")
	case c.ID == "" || len(c.ID) > mostText:
		return heard{}, wrongClaim("jti")
	case c.About == nil:
		return heard{}, wrongClaim("sub_id")
	}
	at, ok := numericDate(c.IssuedAt)
	now := l.Clock()
	if !ok || at.After(now.Add(skew)) || !now.Before(at.Add(from.life())) {
		return heard{}, wrongClaim("iat")
	}
	return heard{id: c.ID, issuedAt: at}, nil
}

func (s *source) life() time.Duration { return time.Duration(s.Life) * time.Hour }

// only reports whether aud names this audience and nobody else.
func only(raw json.RawMessage, audience string) bool {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return one == audience
	}
	var list []string
	return json.Unmarshal(raw, &list) == nil && len(list) == 1 && list[0] == audience
}

func numericDate(v *float64) (time.Time, bool) {
	if v == nil || math.IsNaN(*v) || *v < 1e9 || *v > 1e11 { // seconds, not milliseconds
		return time.Time{}, false
	}
	return time.Unix(int64(*v), 0).UTC(), true
}

// content reads the one event.
func (l *Listener) content(ctx context.Context, from *source, c *claims, issuedAt time.Time) (*statement, error) {
	notTaken := refused(errRequest, reason.RiskEventUnknown)
	kinds := slices.Collect(maps.Keys(c.Events))
	if len(kinds) != 1 {
		return nil, notTaken
	}
	var b body
	if err := strictjson.UnmarshalOpen(c.Events[kinds[0]], &b); err != nil {
		return nil, notTaken
	}
	s := &statement{V: schema, Expires: issuedAt.Add(from.life()), Source: from.ID, Agency: from.Agency, At: issuedAt}
	if b.At != nil {
		at, ok := numericDate(b.At)
		if !ok || at.After(issuedAt.Add(skew)) {
			return nil, wrongClaim("event_timestamp")
		}
		s.At = at
	}
	var err error
	switch kinds[0] {
	case kindVerification, kindStreamUpdated:
		return nil, nil
	case kindRisk:
		s.Topic, s.Level = topicRisk, levelOf(b.Level)
		switch b.Principal {
		case "USER":
			s.Person, err = l.person(ctx, from, c.About)
		case "DEVICE":
			s.Device, err = l.device(ctx, from, c.About)
		default:
			return nil, notTaken
		}
	case kindCompliance:
		s.Topic, s.Level = topicCompliance, complianceLevel(b.Status)
		s.Device, err = l.device(ctx, from, c.About)
	}
	if s.Level == "" {
		return nil, notTaken
	}
	return s, err
}

func levelOf(text string) wire.RiskLevel {
	switch text {
	case "LOW":
		return wire.RiskLow
	case "MEDIUM":
		return wire.RiskMedium
	case "HIGH":
		return wire.RiskHigh
	}
	return ""
}

// complianceLevel is what an EDR's verdict on a device's compliance weighs.
func complianceLevel(text string) wire.RiskLevel {
	switch text {
	case "compliant":
		return wire.RiskLow
	case "not-compliant":
		return wire.RiskHigh
	}
	return ""
}

// member returns the member of a complex subject that an event is about, or the
// simple subject itself. A complex subject that narrows it down to anything but
// this agency is about less than a person or a device, and is not understood.
func (l *Listener) member(from *source, about *identifier, pick func(*identifier) **identifier) (*identifier, bool) {
	if about.Format != "complex" {
		return about, true
	}
	rest := *about
	one := *pick(&rest)
	*pick(&rest) = nil
	if rest.Tenant != nil && (rest.Tenant.Format != "opaque" || rest.Tenant.ID != from.Agency) {
		return nil, false
	}
	rest.Tenant, rest.Format = nil, ""
	return one, one != nil && rest == (identifier{})
}

// person finds whom an identifier names among the agency's people.
func (l *Listener) person(ctx context.Context, from *source, about *identifier) (string, error) {
	unknown := refused(errRequest, reason.RiskSubjectUnknown)
	one, ok := l.member(from, about, func(i *identifier) **identifier { return &i.User })
	if !ok {
		return "", unknown
	}
	name := ""
	switch one.Format {
	case "opaque":
		name = one.ID
	case "iss_sub":
		if one.Issuer == l.issuer(from.Agency) {
			name = one.Subject
		}
	case "email":
		name = from.accountOf(one.Email)
	case "account":
		address, _ := strings.CutPrefix(one.URI, "acct:") // RFC 7565
		name = from.accountOf(address)
	}
	var p wire.Person
	var err error
	if wire.CheckID(wire.PrefixPerson, name) == nil && (one.Format == "opaque" || one.Format == "iss_sub") {
		p, err = l.Directory.Person(ctx, name)
	} else {
		p, err = l.Directory.PersonByAccount(ctx, from.Agency, name)
	}
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && p.Agency != from.Agency:
		return "", unknown
	case err != nil:
		return "", err
	}
	return p.ID, nil
}

// accountOf is the account that a mail address stands for, empty if it is not of
// a domain that the administrator named.
func (s *source) accountOf(address string) string {
	account, domain, _ := strings.Cut(address, "@")
	if !slices.Contains(s.Domains, strings.ToLower(domain)) {
		return ""
	}
	return account
}

// device finds what an identifier names among the agency's devices.
func (l *Listener) device(ctx context.Context, from *source, about *identifier) (string, error) {
	unknown := refused(errRequest, reason.RiskSubjectUnknown)
	one, ok := l.member(from, about, func(i *identifier) **identifier { return &i.Device })
	if !ok {
		return "", unknown
	}
	name := ""
	switch one.Format {
	case "opaque":
		name = one.ID
	case "iss_sub":
		if one.Issuer == l.issuer(from.Agency) {
			name = one.Subject
		}
	}
	var d wire.Device
	var err error
	if wire.CheckID(wire.PrefixDevice, name) == nil {
		d, err = l.Directory.Device(ctx, name)
	} else {
		d, err = l.Directory.DeviceByName(ctx, from.Agency, name)
	}
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && (d.Agency != from.Agency || d.Status == wire.DeviceRetired):
		return "", unknown
	case err != nil:
		return "", err
	}
	return d.ID, nil
}
