package client

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// NewException asks for an exception: for a claim, or for a rule of a baseline;
// for one device by its name, or for all of the agency's.
type NewException struct {
	Device     string       `json:"device,omitempty"`
	Claim      wire.ClaimID `json:"claim,omitempty"`
	Baseline   string       `json:"baseline,omitempty"`
	Rule       string       `json:"rule,omitempty"`
	Unmeasured bool         `json:"unmeasured,omitempty"`
	Reason     string       `json:"reason"`
	Days       int          `json:"days"`
}

// BaselineReports are what a device reported last, with the exceptions that
// count for it now.
type BaselineReports struct {
	Device     string                `json:"device"`
	At         time.Time             `json:"at"` // when it was judged last
	Reports    []wire.BaselineReport `json:"reports"`
	Exceptions []wire.Exception      `json:"exceptions"`
}

// AddException gives an exception.
func (c *Client) AddException(ctx context.Context, agency string, e NewException) (wire.Exception, error) {
	return call[wire.Exception](ctx, c, http.MethodPost, under(agency, "exceptions"), e)
}

// Exceptions lists an agency's exceptions, those that have ended too.
func (c *Client) Exceptions(ctx context.Context, agency string) ([]wire.Exception, error) {
	return call[[]wire.Exception](ctx, c, http.MethodGet, under(agency, "exceptions"), nil)
}

// RemoveException ends an exception.
func (c *Client) RemoveException(ctx context.Context, agency, id string) (wire.Exception, error) {
	return call[wire.Exception](ctx, c, http.MethodPost, under(agency, "exceptions/"+url.PathEscape(id)+"/remove"), struct{}{})
}

// Baselines shows how a device stands to its configuration baselines.
func (c *Client) Baselines(ctx context.Context, agency, name string) (BaselineReports, error) {
	return call[BaselineReports](ctx, c, http.MethodGet, one("devices", agency, name, "baselines"), nil)
}
