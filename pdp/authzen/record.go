package authzen

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/menshen-zt/menshen/internal/wire"
)

// maxPolicies bounds the policies that are told and recorded of one answer.
const maxPolicies = 4

// recorded is the detail of an AuditEvaluation record.
type recorded struct {
	Protocol string `json:"protocol"`
	Endpoint string `json:"endpoint"`
	// RequestID is the caller's own name for the request.
	RequestID string `json:"request_id,omitempty"`
	// Inputs is SHA-256 over the request's body, hexadecimal.
	Inputs string  `json:"inputs"`
	Basis  []Basis `json:"basis,omitempty"`
	// Results are those of evaluations; Found are a search's.
	Results []result `json:"results,omitempty"`
	Found   []string `json:"found,omitempty"`
}

// result is one question's, in the order of the request.
type result struct {
	Question string   `json:"question,omitempty"`
	Allowed  bool     `json:"allowed"`
	Code     string   `json:"code,omitempty"`
	Policies []string `json:"policies,omitempty"`
}

func resultOf(q *wire.Question, a *wire.Answer) result {
	r := result{Allowed: a.Allowed, Policies: a.Policies[:min(len(a.Policies), maxPolicies)]}
	if q != nil {
		r.Question = clip(q.Subject.Type + ":" + q.Subject.ID + " " + q.Action.Name + " " + q.Resource.Type + ":" + q.Resource.ID)
	}
	if !a.Allowed && len(a.Reasons) > 0 {
		r.Code = a.Reasons[0].Code
	}
	return r
}

// record makes the request's one audit record durable and returns its id.
func (s *Server) record(ctx context.Context, c *call, requestID string) (string, error) {
	id, err := wire.NewID(wire.PrefixDecision, s.Random)
	if err != nil {
		return "", err
	}
	inputs := sha256.Sum256(c.body)
	detail := recorded{
		Protocol: "authzen/1.0", Endpoint: c.endpoint, RequestID: requestID,
		Inputs: hex.EncodeToString(inputs[:]), Results: c.results, Found: c.found,
	}
	r := wire.AuditRecord{Kind: wire.AuditEvaluation, At: s.Clock().UTC(), Agency: c.portal.Agency, Portal: c.portal.ID, Decision: id}
	for _, i := range c.inquiries {
		basis := i.Basis()
		r.Session, r.Subject, r.Device = basis.Session, basis.Person, basis.Device
		if !slices.Contains(detail.Basis, basis) {
			detail.Basis = append(detail.Basis, basis)
		}
	}
	if len(detail.Basis) != 1 { // of several sessions the record is none's
		r.Session, r.Subject, r.Device = "", "", ""
	}
	if r.Detail, err = json.Marshal(detail); err != nil {
		return "", fmt.Errorf("authzen: %w", err)
	}
	_, err = s.Recorder.Append(ctx, r)
	return id, err
}
