package client

import (
	"context"
	"net/http"

	"github.com/menshen-zt/menshen/internal/wire"
)

// The messages that say how requests for a portal are judged.
type (
	// Routes replaces a portal's routes.
	Routes struct {
		Routes []wire.Route `json:"routes"`
	}
	// TokenFrom replaces the networks that access tokens may be presented from.
	TokenFrom struct {
		Networks []string `json:"networks"`
	}
)

// WithdrawKeys takes an agency's signing keys for access tokens out of use.
func (c *Client) WithdrawKeys(ctx context.Context, agency string) (wire.Agency, error) {
	return call[wire.Agency](ctx, c, http.MethodPost, under(agency, "withdraw-keys"), struct{}{})
}

// SetPortalRoutes replaces a portal's routes.
func (c *Client) SetPortalRoutes(ctx context.Context, portalID string, in Routes) (wire.Portal, error) {
	return call[wire.Portal](ctx, c, http.MethodPost, one("portals", "", portalID, "routes"), in)
}

// SetPortalTokenFrom replaces the networks that a portal's access tokens may be
// presented from.
func (c *Client) SetPortalTokenFrom(ctx context.Context, portalID string, in TokenFrom) (wire.Portal, error) {
	return call[wire.Portal](ctx, c, http.MethodPost, one("portals", "", portalID, "tokens"), in)
}
