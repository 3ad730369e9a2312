package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/wire"
)

// The messages of access policy sets.
type (
	// NewPolicySet submits a policy set, by file name.
	NewPolicySet struct {
		Files map[string]string `json:"files"`
		Note  string            `json:"note,omitempty"`
	}
	// Activate approves a set; Confirm is its version, typed, where that is
	// asked for.
	Activate struct {
		Confirm string `json:"confirm,omitempty"`
	}
	// Rollback approves that an earlier set comes back; the one before the
	// present where Version is empty.
	Rollback struct {
		Version string `json:"version,omitempty"`
	}
	// WhatIf asks what a draft would have made of the recorded decisions.
	WhatIf struct {
		Files  map[string]string `json:"files"`
		Days   int               `json:"days"`
		Portal string            `json:"portal,omitempty"`
	}
	// WhatIfLine is one line of the answer: how far it is, or how it ended.
	WhatIfLine struct {
		Decisions uint64             `json:"decisions,omitempty"` // looked at so far
		At        time.Time          `json:"at,omitzero"`         // the last one's time
		Report    *wire.PolicyWhatIf `json:"report,omitempty"`
		Problem   *problem.Document  `json:"problem,omitempty"`
	}
)

// RawFiles are the files of a message as bytes.
func RawFiles(files map[string]string) map[string][]byte {
	raw := make(map[string][]byte, len(files))
	for name, text := range files {
		raw[name] = []byte(text)
	}
	return raw
}

// PolicySets lists the kept policy sets.
func (c *Client) PolicySets(ctx context.Context) ([]wire.PolicySet, error) {
	return call[[]wire.PolicySet](ctx, c, http.MethodGet, "/v1/policies", nil)
}

// PolicySet shows a kept policy set with its files.
func (c *Client) PolicySet(ctx context.Context, version string) (wire.PolicySetView, error) {
	return call[wire.PolicySetView](ctx, c, http.MethodGet, policySet(version, ""), nil)
}

// SubmitPolicy keeps a policy set as a draft.
func (c *Client) SubmitPolicy(ctx context.Context, n NewPolicySet) (wire.PolicySet, error) {
	return call[wire.PolicySet](ctx, c, http.MethodPost, "/v1/policies", n)
}

// StagePolicy makes a draft a candidate, or takes one out of the shadow.
func (c *Client) StagePolicy(ctx context.Context, version string) (wire.PolicySet, error) {
	return call[wire.PolicySet](ctx, c, http.MethodPost, policySet(version, "/stage"), struct{}{})
}

// ShadowPolicy has a staged set evaluated beside the one in force.
func (c *Client) ShadowPolicy(ctx context.Context, version string) (wire.PolicySet, error) {
	return call[wire.PolicySet](ctx, c, http.MethodPost, policySet(version, "/shadow"), struct{}{})
}

// ActivatePolicy approves that a set comes into force.
func (c *Client) ActivatePolicy(ctx context.Context, version string, a Activate) (wire.PolicySet, error) {
	return call[wire.PolicySet](ctx, c, http.MethodPost, policySet(version, "/activate"), a)
}

// RollbackPolicy approves that an earlier set comes back.
func (c *Client) RollbackPolicy(ctx context.Context, r Rollback) (wire.PolicySet, error) {
	return call[wire.PolicySet](ctx, c, http.MethodPost, "/v1/policy/rollback", r)
}

// PolicyShadow tells how the set in shadow differs from the one in force.
func (c *Client) PolicyShadow(ctx context.Context) (wire.PolicyShadowReport, error) {
	return call[wire.PolicyShadowReport](ctx, c, http.MethodGet, "/v1/policy/shadow", nil)
}

// WhatIf replays recorded decisions against a draft. It tells how far it is
// while it goes on, and takes as long as it takes.
func (c *Client) WhatIf(ctx context.Context, in WhatIf, progress func(decisions uint64, at time.Time)) (wire.PolicyWhatIf, error) {
	raw, err := json.Marshal(in)
	if err != nil {
		return wire.PolicyWhatIf{}, c.strange(err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://menshen/v1/policy/what-if", bytes.NewReader(raw))
	if err != nil {
		return wire.PolicyWhatIf{}, c.strange(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept-Language", string(c.language))
	patient := *c.http
	patient.Timeout = 0
	answer, err := patient.Do(request)
	if err != nil {
		return wire.PolicyWhatIf{}, c.unreachable(err)
	}
	defer func() { _ = answer.Body.Close() }()
	lines := json.NewDecoder(io.LimitReader(answer.Body, maxAnswer))
	if answer.StatusCode != http.StatusOK {
		var d problem.Document
		if err := lines.Decode(&d); err != nil || d.Code == "" {
			return wire.PolicyWhatIf{}, c.strange(errors.Join(err, errors.New(answer.Status)))
		}
		return wire.PolicyWhatIf{}, &Problem{Why: wire.Reason{Code: d.Code}, Document: &d}
	}
	for {
		var line WhatIfLine
		if err := lines.Decode(&line); err != nil {
			return wire.PolicyWhatIf{}, c.unreachable(err)
		}
		switch {
		case line.Problem != nil:
			return wire.PolicyWhatIf{}, &Problem{Why: wire.Reason{Code: line.Problem.Code}, Document: line.Problem}
		case line.Report != nil:
			return *line.Report, nil
		default:
			progress(line.Decisions, line.At)
		}
	}
}

func policySet(version, verb string) string { return "/v1/policies/" + url.PathEscape(version) + verb }
