package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/menshen-zt/menshen/internal/wire"
)

// NewRepair asks that the remedy for a claim be applied.
type NewRepair struct {
	Claim wire.ClaimID `json:"claim"`
}

// RepairDevice has a device's agent asked to apply a remedy.
func (c *Client) RepairDevice(ctx context.Context, agency, name string, r NewRepair) (wire.Repair, error) {
	return call[wire.Repair](ctx, c, http.MethodPost, one("devices", agency, name, "repairs"), r)
}

// Repair tells how far a repair of the device has come.
func (c *Client) Repair(ctx context.Context, agency, name, id string) (wire.Repair, error) {
	return call[wire.Repair](ctx, c, http.MethodGet, one("devices", agency, name, "repairs/"+url.PathEscape(id)), nil)
}
