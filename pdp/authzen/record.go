package authzen

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

const (
	// maxPolicies bounds the policies that are told and recorded of one answer.
	maxPolicies = 4
	saltSize    = 16
	// maxRecorded bounds detail and sealed inputs together, in bytes: as base64
	// they fill most of an audit record.
	maxRecorded = 90 << 10
)

func resultOf(q *wire.Question, a *wire.Answer) wire.EvaluationResult {
	r := wire.EvaluationResult{Allowed: a.Allowed, StepUp: a.StepUp && !a.Allowed, Policies: a.Policies[:min(len(a.Policies), maxPolicies)]}
	if q != nil {
		r.Question = clip(q.Subject.Type + ":" + q.Subject.ID + " " + q.Action.Name + " " + q.Resource.Type + ":" + q.Resource.ID)
	}
	if !a.Allowed && len(a.Reasons) > 0 {
		r.Code = a.Reasons[0].Code
	}
	return r
}

// record makes the request's one audit record durable, with what it was
// answered from, and returns its id.
func (s *Server) record(ctx context.Context, c *call, requestID string) (string, error) {
	id, err := wire.NewID(wire.PrefixDecision, s.Random)
	if err != nil {
		return "", err
	}
	in := wire.EvaluationInputs{Salt: make([]byte, saltSize), ID: id, At: c.at, Endpoint: c.endpoint, RequestID: requestID, Body: c.body}
	if _, err := io.ReadFull(s.Random, in.Salt); err != nil {
		return "", fmt.Errorf("authzen: drawing a salt: %w", err)
	}
	c.hearing.Inputs(&in)
	canonical, err := json.Marshal(in)
	if err != nil {
		return "", fmt.Errorf("authzen: %w", err)
	}
	r := wire.AuditRecord{Kind: wire.AuditEvaluation, At: c.at, Agency: c.portal.Agency, Portal: c.portal.ID, Decision: id}
	detail := c.detail(requestID, Digest(canonical))
	if len(detail.Basis) == 1 { // of several sessions the record is none's
		only := detail.Basis[0]
		r.Session, r.Subject, r.Device = only.Session, only.Person, only.Device
	}
	if err := s.fill(ctx, &r, &detail, canonical); err != nil {
		return "", err
	}
	_, err = s.Recorder.Append(ctx, r)
	return id, err
}

// detail is what the record tells of the request. Replaying it comes to the
// same bytes.
func (c *call) detail(requestID, digest string) wire.EvaluationDetail {
	d := wire.EvaluationDetail{Protocol: "authzen/1.0", Endpoint: c.endpoint, RequestID: requestID, Results: c.results, Found: c.found, InputsDigest: digest}
	for _, i := range c.inquiries {
		basis := i.Basis()
		if !slices.Contains(d.Basis, basis) {
			d.Basis = append(d.Basis, basis)
		}
	}
	if len(d.Basis) == 1 {
		return d
	}
	for _, b := range d.Basis {
		if b.Person != "" && !slices.Contains(d.Persons, b.Person) {
			d.Persons = append(d.Persons, b.Person)
		}
	}
	return d
}

// Owners are those under whose keys a record's inputs are sealed: the persons
// whose sessions were asked about, else the portal.
func Owners(r *wire.AuditRecord, d *wire.EvaluationDetail) []string {
	switch {
	case r.Subject != "":
		return []string{r.Subject}
	case len(d.Persons) > 0:
		return d.Persons
	}
	return []string{r.Portal}
}

// Digest is EvaluationDetail.InputsDigest of canonical inputs.
func Digest(canonical []byte) string {
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:])
}

// errUnsealed says that inputs could not be sealed.
var errUnsealed = errors.New("authzen: the inputs are not sealed")

// fill puts the detail and the sealed inputs into a record. Inputs that are more
// than a record may hold are left out, and the detail says so: the question is
// the caller's, and must not stop its portal by being long.
func (s *Server) fill(ctx context.Context, r *wire.AuditRecord, detail *wire.EvaluationDetail, canonical []byte) (err error) {
	if r.Detail, err = json.Marshal(detail); err != nil {
		return fmt.Errorf("authzen: %w", err)
	}
	sealed, err := s.Inputs.Seal(ctx, r.Agency, Owners(r, detail), r.Decision, canonical)
	switch {
	case err == nil && len(r.Detail)+len(sealed.Box) <= maxRecorded:
		r.Inputs = &sealed
		return nil
	case err != nil && !errors.Is(err, ErrTooLarge):
		return fmt.Errorf("%w: %w", errUnsealed, err)
	}
	detail.Unsealed = reason.InputsTooLarge
	if r.Detail, err = json.Marshal(detail); err != nil {
		return fmt.Errorf("authzen: %w", err)
	}
	return nil
}

// Again answers a recorded request once more, before a judge that knows what
// was known then, and returns the detail that its record should have.
func (s *Server) Again(ctx context.Context, judge Judge, portal *wire.Portal, in *wire.EvaluationInputs, digest string) ([]byte, error) {
	answer := s.endpoints[in.Endpoint]
	if answer == nil {
		return nil, fmt.Errorf("authzen: no such endpoint: %q", in.Endpoint)
	}
	c := &call{portal: portal, hearing: judge.Hear(portal, in.At), endpoint: in.Endpoint, body: in.Body, at: in.At}
	if _, err := answer(ctx, c); err != nil {
		return nil, err
	}
	return json.Marshal(c.detail(in.RequestID, digest))
}
