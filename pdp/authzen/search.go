package authzen

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

const (
	// maxPage is how many results one answer holds.
	maxPage = 100
	// pageLife is how long a page can be turned.
	pageLife    = 10 * time.Minute
	pagePurpose = "authzen/page"
	// searchPatience is how long a search waits for others.
	searchPatience = time.Second
)

// found is the answer of a search (AuthZEN 1.0, The Search API Response).
type found struct {
	Page    page  `json:"page"`
	Results []any `json:"results"`
}

type page struct {
	NextToken string `json:"next_token"`
	Count     int    `json:"count"`
}

// leaf is what a page token carries: which search it continues, and after what.
type leaf struct {
	Portal string `json:"p"`
	Query  []byte `json:"q"`
	After  string `json:"a"`
	Limit  int    `json:"l"`
}

type foundEntity struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

type foundAction struct {
	Name string `json:"name"`
}

// seek is one kind of search: what may be left out, what could be found, and
// how one candidate is asked about and told of.
type seek struct {
	may        leave
	candidates func(Inquiry) []string
	answer     func(ctx context.Context, i Inquiry, q *wire.Question, candidate string) wire.Answer
	result     func(q *wire.Question, candidate string) any
}

func (s *Server) searchSubject(ctx context.Context, c *call) (any, error) {
	return s.search(ctx, c, seek{leaveSubjectID, Inquiry.Subjects,
		func(ctx context.Context, i Inquiry, q *wire.Question, id string) wire.Answer {
			return i.Answer(ctx, id, q.Action.Name, q.Resource.ID)
		},
		func(q *wire.Question, id string) any { return foundEntity{q.Subject.Type, id} }})
}

func (s *Server) searchResource(ctx context.Context, c *call) (any, error) {
	return s.search(ctx, c, seek{leaveResourceID, Inquiry.Resources,
		func(ctx context.Context, i Inquiry, q *wire.Question, id string) wire.Answer {
			return i.Answer(ctx, q.Subject.ID, q.Action.Name, id)
		},
		func(q *wire.Question, id string) any { return foundEntity{q.Resource.Type, id} }})
}

func (s *Server) searchAction(ctx context.Context, c *call) (any, error) {
	return s.search(ctx, c, seek{leaveAction, Inquiry.Actions,
		func(ctx context.Context, i Inquiry, q *wire.Question, name string) wire.Answer {
			return i.Answer(ctx, q.Subject.ID, name, q.Resource.ID)
		},
		func(_ *wire.Question, name string) any { return foundAction{name} }})
}

func (s *Server) search(ctx context.Context, c *call, k seek) (any, error) {
	var in search
	if err := decode(c.body, &in); err != nil {
		return nil, err
	}
	q, err := in.question(k.may)
	if err != nil {
		return nil, err
	}
	at, err := s.turn(c, q, &in)
	if err != nil {
		return nil, err
	}
	done, err := s.queue(ctx, c.portal.ID)
	if err != nil {
		return nil, err
	}
	defer done()
	i := c.open(q)
	if k.may == leaveAction { // each action has claims of its own
		if err := c.claims(q, len(k.candidates(i))); err != nil {
			return nil, err
		}
	}
	hits, more, err := collect(ctx, i, q, k, at)
	if err != nil {
		return nil, err
	}
	out := found{Page: page{Count: len(hits)}, Results: make([]any, len(hits))}
	for n, id := range hits {
		out.Results[n] = k.result(q, id)
	}
	if more {
		if len(hits) > 0 {
			at.After = hits[len(hits)-1]
		}
		if out.Page.NextToken, err = s.Sealer.Seal(pagePurpose, c.at.Add(pageLife), at); err != nil {
			return nil, err
		}
	}
	c.found = hits
	return out, nil
}

// collect returns what is found from where the page begins, and whether there
// is more behind it. Candidates come in one order, ascending.
func collect(ctx context.Context, i Inquiry, q *wire.Question, k seek, at leaf) (hits []string, more bool, err error) {
	candidates := k.candidates(i)
	from, there := slices.BinarySearch(candidates, at.After)
	if there {
		from++
	}
	for _, candidate := range candidates[from:] {
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
		switch {
		case !k.answer(ctx, i, q, candidate).Allowed:
		case len(hits) == at.Limit:
			return hits, true, nil
		default:
			hits = append(hits, candidate)
		}
	}
	return hits, false, nil
}

// queue waits for a place among the portal's searches, and then among all.
func (s *Server) queue(ctx context.Context, portal string) (done func(), err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, searchPatience, errBusy)
	defer cancel()
	own := s.placesOf(portal)
	if err := take(ctx, own); err != nil {
		return nil, err
	}
	if err := take(ctx, s.searches); err != nil {
		<-own
		return nil, err
	}
	return func() { <-s.searches; <-own }, nil
}

// errBusy says that there was no place in time.
var errBusy = &requestError{reason.New(reason.AuthzenBusy), http.StatusTooManyRequests}

func take(ctx context.Context, places chan struct{}) error {
	select {
	case places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// placesOf are half of all places, so that no portal takes them all.
func (s *Server) placesOf(portal string) chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ofPortal[portal] == nil {
		s.ofPortal[portal] = make(chan struct{}, maxSearches/2)
	}
	return s.ofPortal[portal]
}

// turn returns where the asked page begins (AuthZEN 1.0, Paginated Requests).
func (s *Server) turn(c *call, q *wire.Question, in *search) (leaf, error) {
	query, err := digest(c.endpoint, q)
	if err != nil {
		return leaf{}, err
	}
	at := leaf{Portal: c.portal.ID, Query: query, Limit: maxPage}
	if in.Page.Limit != nil {
		if *in.Page.Limit < 0 {
			return leaf{}, wrong("page.limit is negative")
		}
		at.Limit = min(*in.Page.Limit, maxPage)
	}
	if in.Page.Token == nil || *in.Page.Token == "" {
		return at, nil
	}
	var last leaf
	if s.Sealer.Open(pagePurpose, *in.Page.Token, c.at, &last) != nil || last.Portal != at.Portal ||
		!slices.Equal(last.Query, at.Query) || (in.Page.Limit != nil && last.Limit != at.Limit) {
		return leaf{}, &requestError{why: reason.New(reason.AuthzenPage)}
	}
	return last, nil
}

// digest identifies a search by all that it asks, however its JSON is written.
func digest(endpoint string, q *wire.Question) ([]byte, error) {
	h := sha256.New()
	plain := *q
	for _, raw := range []*[]byte{&plain.Subject.Properties, &plain.Action.Properties, &plain.Resource.Properties, &plain.Context} {
		if *raw == nil {
			continue
		}
		var value any
		if err := json.Unmarshal(*raw, &value); err != nil {
			return nil, fmt.Errorf("authzen: %w", err)
		}
		ordered, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("authzen: %w", err)
		}
		*raw = ordered
	}
	for _, part := range [][]byte{
		[]byte(endpoint), []byte(plain.Subject.Type), []byte(plain.Subject.ID), plain.Subject.Properties, []byte(plain.Action.Name), plain.Action.Properties,
		[]byte(plain.Resource.Type), []byte(plain.Resource.ID), plain.Resource.Properties, plain.Context,
	} {
		sum := sha256.Sum256(part)
		h.Write([]byte(hex.EncodeToString(sum[:])))
	}
	return h.Sum(nil), nil
}
