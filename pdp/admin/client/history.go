package client

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Replay is how it went to compute a recorded decision again.
type Replay struct {
	ID string    `json:"id"`
	At time.Time `json:"at"`
	// Same says that the bytes are the recorded ones. Where it is not set, Why
	// says what is the matter.
	Same          bool            `json:"same"`
	Why           *wire.Reason    `json:"why,omitempty"`
	PolicyVersion string          `json:"policy_version,omitempty"`
	Recorded      json.RawMessage `json:"recorded"`
	Computed      json.RawMessage `json:"computed,omitempty"`
}

// Told returns r with what is the matter.
func (r Replay) Told(why wire.Reason) Replay {
	r.Same, r.Why = false, &why
	return r
}

// Replay computes a recorded decision again.
func (c *Client) Replay(ctx context.Context, id string) (Replay, error) {
	return call[Replay](ctx, c, http.MethodGet, one("decisions", "", id, "replay"), nil)
}
