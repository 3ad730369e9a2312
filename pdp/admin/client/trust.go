package client

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// NewOverride asks for an officer's override about one person, device or session.
type NewOverride struct {
	Kind wire.OverrideKind `json:"kind"`
	// Person is an account or an id, Device a name, Session an id.
	Person  string   `json:"person,omitempty"`
	Device  string   `json:"device,omitempty"`
	Session string   `json:"session,omitempty"`
	Codes   []string `json:"codes,omitempty"`
	Reason  string   `json:"reason"`
	Minutes int      `json:"minutes,omitempty"`
}

// Lift ends an override.
type Lift struct {
	Reason string `json:"reason"`
}

// Feedback is an officer's word on a recorded sign-in.
type Feedback struct {
	Genuine bool   `json:"genuine"`
	Reason  string `json:"reason"`
}

// PersonTrust is what is thought of a person's sessions now.
type PersonTrust struct {
	Person    string                          `json:"person"`
	Account   string                          `json:"account"`
	Sessions  map[string]wire.TrustAssessment `json:"sessions"`
	Overrides []wire.TrustOverride            `json:"overrides,omitempty"`
}

// Trial is tried beside what is in force: the text of a weights file, or by how
// many points every threshold is raised.
type Trial struct {
	Weights string `json:"weights,omitempty"`
	Points  int    `json:"points,omitempty"`
}

// Shadow is what is tried and what it would have changed.
type Shadow struct {
	Trial   string    `json:"trial,omitempty"`
	Plugins []string  `json:"plugins,omitempty"`
	Since   time.Time `json:"since"`
	// Counts by candidate, portal and effects; equal effects are counted too.
	Counts []wire.ShadowCount `json:"counts,omitempty"`
	// Lost are decisions beyond the bound of what is counted.
	Lost uint64 `json:"lost,omitempty"`
}

// Override keeps an officer's override.
func (c *Client) Override(ctx context.Context, agency string, o NewOverride) (wire.TrustOverride, error) {
	return call[wire.TrustOverride](ctx, c, http.MethodPost, under(agency, "overrides"), o)
}

// Overrides lists an agency's overrides in force.
func (c *Client) Overrides(ctx context.Context, agency string) ([]wire.TrustOverride, error) {
	return call[[]wire.TrustOverride](ctx, c, http.MethodGet, under(agency, "overrides"), nil)
}

// LiftOverride ends one.
func (c *Client) LiftOverride(ctx context.Context, agency, id string, in Lift) (wire.TrustOverride, error) {
	return call[wire.TrustOverride](ctx, c, http.MethodPost, under(agency, "overrides")+"/"+url.PathEscape(id)+"/lift", in)
}

// PersonTrust shows a person's assessments and overrides.
func (c *Client) PersonTrust(ctx context.Context, agency, name string) (PersonTrust, error) {
	return call[PersonTrust](ctx, c, http.MethodGet, person(agency, name, "trust"), nil)
}

// JudgeSignIn says whether the sign-in under a decision was the person.
func (c *Client) JudgeSignIn(ctx context.Context, decision string, in Feedback) (Feedback, error) {
	return call[Feedback](ctx, c, http.MethodPost, "/v1/decisions/"+url.PathEscape(decision)+"/feedback", in)
}

// Shadow shows what is tried.
func (c *Client) Shadow(ctx context.Context) (Shadow, error) {
	return call[Shadow](ctx, c, http.MethodGet, "/v1/trust/shadow", nil)
}

// Try begins a trial in place of the one before.
func (c *Client) Try(ctx context.Context, t Trial) (Shadow, error) {
	return call[Shadow](ctx, c, http.MethodPost, "/v1/trust/shadow", t)
}

// EndTrial ends the trial and returns what it came to.
func (c *Client) EndTrial(ctx context.Context) (Shadow, error) {
	return call[Shadow](ctx, c, http.MethodPost, "/v1/trust/shadow/end", struct{}{})
}

// Observations writes what the history keeps to w, a line of JSON each.
func (c *Client) Observations(ctx context.Context, since time.Time, w io.Writer) error {
	path := "/v1/trust/observations"
	if !since.IsZero() {
		path += "?since=" + url.QueryEscape(since.UTC().Format(time.RFC3339))
	}
	return c.stream(ctx, path, w)
}
