package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Messages about recorded decisions.
type (
	// Replay is how it went to compute a recorded decision again.
	Replay struct {
		ID string    `json:"id"`
		At time.Time `json:"at"`
		// Same says that the bytes are the recorded ones. Where it is not set,
		// Why says what is the matter.
		Same          bool            `json:"same"`
		Why           *wire.Reason    `json:"why,omitempty"`
		PolicyVersion string          `json:"policy_version,omitempty"`
		Recorded      json.RawMessage `json:"recorded"`
		Computed      json.RawMessage `json:"computed,omitempty"`
	}
	// Why is a recorded decision with everything that explains it. It is for
	// officers: reasons are told that a person sees the code of alone.
	Why struct {
		Decision wire.Decision       `json:"decision"`
		Detail   wire.DecisionDetail `json:"detail"`
		Agency   string              `json:"agency"`
		Session  string              `json:"session"`
		Person   Named               `json:"person"`
		Device   Named               `json:"device"`
		Portal   Named               `json:"portal"`
		Policies []PolicyPlace       `json:"policies"`
		// InForce says that the policy version is the one that decides now.
		InForce bool `json:"in_force"`
		// Uses is how often the decision was used again after it was taken.
		Uses uint64 `json:"uses"`
		// Inputs is why the decision's inputs cannot be had; nil where they can.
		Inputs *wire.Reason `json:"inputs,omitempty"`
		// Evaluation is what an application asked; then Decision has an id and
		// a time alone. Nil where a proxy asked.
		Evaluation *Evaluation `json:"evaluation,omitempty"`
	}
	// Evaluation is one request of an application (AuthZEN).
	Evaluation struct {
		Detail wire.EvaluationDetail `json:"detail"`
		// Policies are the application's own that determined an answer. InForce
		// says that its rules of that version are those that decide now.
		Policies []PolicyPlace `json:"policies,omitempty"`
		InForce  bool          `json:"in_force"`
		// Looks are the PDP's own decisions about sessions; none where the
		// inputs cannot be had.
		Looks []Looked `json:"looks,omitempty"`
	}
	// Looked is the PDP's own decision about a session that was asked about.
	Looked struct {
		Session string `json:"session"`
		Class   string `json:"class,omitempty"`
		// Why says of a session that it was not live; the rest is empty then.
		Why      *wire.Reason  `json:"why,omitempty"`
		Person   Named         `json:"person,omitzero"`
		Device   Named         `json:"device,omitzero"`
		Decision wire.Decision `json:"decision,omitzero"`
		Policies []PolicyPlace `json:"policies,omitempty"`
		InForce  bool          `json:"in_force"`
	}
	// Named is a record by its id, with the names that it has now. Names are
	// empty where it is not known any more.
	Named struct {
		ID     string `json:"id"`
		Name   string `json:"name,omitempty"`
		NameZH string `json:"name_zh,omitempty"`
		// Account is a person's.
		Account string `json:"account,omitempty"`
	}
	// PolicyPlace is a policy and where it stands; File is empty where its
	// version is not kept any more.
	PolicyPlace struct {
		ID   string `json:"id"`
		File string `json:"file,omitempty"`
		Line int    `json:"line,omitempty"`
	}
	// DecisionQuery names the decisions that are wanted. Empty members name all.
	DecisionQuery struct {
		Since                          time.Time
		Agency, Person, Device, Portal string
		Effect                         string
		// Limit is how many are wanted at most, the latest.
		Limit int
	}
	// Decisions answers a DecisionQuery, the latest first.
	Decisions struct {
		Decisions []DecisionLine `json:"decisions"`
		// More says that there are earlier ones besides.
		More bool `json:"more,omitempty"`
		// Until is set where the log was read so far only: it took too long.
		Until time.Time `json:"until,omitzero"`
	}
	// DecisionLine is a decision in a list.
	DecisionLine struct {
		ID      string      `json:"id"`
		At      time.Time   `json:"at"`
		Effect  wire.Effect `json:"effect"`
		Action  wire.Action `json:"action"`
		Agency  string      `json:"agency"`
		Portal  string      `json:"portal"`
		Person  string      `json:"person"`
		Device  string      `json:"device"`
		Reasons []string    `json:"reasons,omitempty"`
	}
	// Erasure says why a person's data are to be erased.
	Erasure struct {
		Reason string `json:"reason"`
	}
	// Erased is how many keys of a person's recorded data were destroyed.
	Erased struct {
		Keys int `json:"keys"`
	}
)

// Told returns r with what is the matter.
func (r Replay) Told(why wire.Reason) Replay {
	r.Same, r.Why = false, &why
	return r
}

// Replay computes a recorded decision again.
func (c *Client) Replay(ctx context.Context, id string) (Replay, error) {
	return call[Replay](ctx, c, http.MethodGet, one("decisions", "", id, "replay"), nil)
}

// Why explains a recorded decision.
func (c *Client) Why(ctx context.Context, id string) (Why, error) {
	return call[Why](ctx, c, http.MethodGet, one("decisions", "", id, "why"), nil)
}

// Decisions searches the recorded decisions.
func (c *Client) Decisions(ctx context.Context, q DecisionQuery) (Decisions, error) {
	v := url.Values{}
	for name, value := range map[string]string{"agency": q.Agency, "person": q.Person, "device": q.Device, "portal": q.Portal, "effect": q.Effect} {
		if value != "" {
			v.Set(name, value)
		}
	}
	v.Set("since", q.Since.UTC().Format(time.RFC3339))
	v.Set("limit", strconv.Itoa(q.Limit))
	return call[Decisions](ctx, c, http.MethodGet, "/v1/decisions?"+v.Encode(), nil)
}

// ErasePerson destroys the keys of what was recorded of a person.
func (c *Client) ErasePerson(ctx context.Context, agency, name string, e Erasure) (Erased, error) {
	return call[Erased](ctx, c, http.MethodPost, person(agency, name, "erase"), e)
}
