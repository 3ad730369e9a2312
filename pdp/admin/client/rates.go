package client

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Rates counts decisions by group. An empty agency means all agencies' portals.
func (c *Client) Rates(ctx context.Context, by wire.RatesBy, agency string, since time.Time) (wire.DecisionRates, error) {
	v := url.Values{"by": {string(by)}, "since": {since.UTC().Format(time.RFC3339)}}
	if agency != "" {
		v.Set("agency", agency)
	}
	return call[wire.DecisionRates](ctx, c, http.MethodGet, "/v1/decisions/rates?"+v.Encode(), nil)
}
