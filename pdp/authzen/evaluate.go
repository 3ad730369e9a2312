package authzen

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// maxEvaluations bounds the questions of one request.
const maxEvaluations = 100

// Semantics of several questions (AuthZEN 1.0, Evaluations semantics).
const (
	executeAll          = "execute_all"
	denyOnFirstDeny     = "deny_on_first_deny"
	permitOnFirstPermit = "permit_on_first_permit"
)

// evaluation answers one question (AuthZEN 1.0, Access Evaluation API).
func (s *Server) evaluation(ctx context.Context, c *call) (any, error) {
	var t tuple
	if err := decode(c.body, &t); err != nil {
		return nil, err
	}
	return s.one(ctx, c, &t)
}

func (s *Server) one(ctx context.Context, c *call, t *tuple) (any, error) {
	q, err := t.question(0)
	if err != nil {
		return nil, err
	}
	return c.decide(ctx, q), nil
}

// decide answers one question and notes the result for the record.
func (c *call) decide(ctx context.Context, q *wire.Question) decision {
	a := c.open(q).Answer(ctx, q.Subject.ID, q.Action.Name, q.Resource.ID)
	c.results = append(c.results, resultOf(q, &a))
	return tell(&a)
}

// evaluations answers several questions (AuthZEN 1.0, Access Evaluations API).
func (s *Server) evaluations(ctx context.Context, c *call) (any, error) {
	var b batch
	if err := decode(c.body, &b); err != nil {
		return nil, err
	}
	semantic := executeAll
	if b.Options.Semantic != nil {
		semantic = *b.Options.Semantic
	}
	switch semantic {
	case executeAll, denyOnFirstDeny, permitOnFirstPermit:
	default:
		return nil, wrong("options.evaluations_semantic is none of execute_all, deny_on_first_deny, permit_on_first_permit")
	}
	if len(b.Evaluations) == 0 {
		return s.one(ctx, c, &b.tuple)
	}
	if len(b.Evaluations) > maxEvaluations {
		return nil, wrong(fmt.Sprintf("more than %d evaluations", maxEvaluations))
	}
	if _, err := object("context", b.Context); err != nil {
		return nil, err
	}
	answers := make([]decision, 0, len(b.Evaluations))
	for _, raw := range b.Evaluations {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		d := c.item(ctx, raw, &b.tuple)
		answers = append(answers, d)
		if (semantic == denyOnFirstDeny && !d.Decision) || (semantic == permitOnFirstPermit && d.Decision) {
			break
		}
	}
	return map[string][]decision{"evaluations": answers}, nil
}

// item answers one of several questions. One that is not a question is denied
// by itself and spoils no other (AuthZEN 1.0, Errors).
func (c *call) item(ctx context.Context, raw []byte, defaults *tuple) decision {
	var t tuple
	err := decode(raw, &t)
	if err == nil {
		t = t.over(defaults)
		var q *wire.Question
		if q, err = t.question(0); err == nil {
			err = c.claims(q, 1)
		}
		if err == nil {
			return c.decide(ctx, q)
		}
	}
	detail := "it is not a question"
	if faulty := (*requestError)(nil); errors.As(err, &faulty) {
		detail = faulty.why.Args["detail"]
	}
	a := wire.Refused(reason.New(reason.AppIncomplete, "detail", detail))
	c.results = append(c.results, resultOf(nil, &a))
	d := tell(&a)
	d.Context.Error = &itemError{Status: http.StatusBadRequest, Message: detail}
	return d
}
