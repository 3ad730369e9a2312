package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/menshen-zt/menshen/internal/wire"
)

// NewReceiver asks for a receiver of an agency's security events.
type NewReceiver struct {
	Name string `json:"name"`
	// Push are the https addresses that it may have events pushed to.
	Push []string `json:"push,omitempty"`
}

// ReceiverAdded is a new receiver and its bearer secret, told this once.
type ReceiverAdded struct {
	Receiver wire.SignalReceiver `json:"receiver"`
	Secret   string              `json:"secret"`
}

// NewSource asks that an agency heed a SIEM's or an EDR's word.
type NewSource struct {
	Name    string          `json:"name"`
	Issuer  string          `json:"issuer"`
	Keys    json.RawMessage `json:"keys,omitempty"` // a JWK set
	KeysURL string          `json:"keys_url,omitempty"`
	Domains []string        `json:"domains,omitempty"`
	Life    int             `json:"life_hours,omitempty"`
}

// SourceAdded is a new source and its bearer secret, told this once.
type SourceAdded struct {
	Source wire.SignalSource `json:"source"`
	Secret string            `json:"secret"`
}

// AddReceiver adds a receiver of events.
func (c *Client) AddReceiver(ctx context.Context, agency string, n NewReceiver) (ReceiverAdded, error) {
	return call[ReceiverAdded](ctx, c, http.MethodPost, under(agency, "receivers"), n)
}

// Receivers lists an agency's receivers with their streams.
func (c *Client) Receivers(ctx context.Context, agency string) ([]wire.SignalReceiver, error) {
	return call[[]wire.SignalReceiver](ctx, c, http.MethodGet, under(agency, "receivers"), nil)
}

// RemoveReceiver ends a receiver with its streams and what they hold.
func (c *Client) RemoveReceiver(ctx context.Context, agency, id string) (wire.SignalReceiver, error) {
	return call[wire.SignalReceiver](ctx, c, http.MethodPost, under(agency, "receivers/"+url.PathEscape(id)+"/remove"), struct{}{})
}

// AddSource adds a source of risk reports.
func (c *Client) AddSource(ctx context.Context, agency string, n NewSource) (SourceAdded, error) {
	return call[SourceAdded](ctx, c, http.MethodPost, under(agency, "sources"), n)
}

// Sources lists an agency's sources.
func (c *Client) Sources(ctx context.Context, agency string) ([]wire.SignalSource, error) {
	return call[[]wire.SignalSource](ctx, c, http.MethodGet, under(agency, "sources"), nil)
}

// RemoveSource ends a source with all that it says.
func (c *Client) RemoveSource(ctx context.Context, agency, id string) (wire.SignalSource, error) {
	return call[wire.SignalSource](ctx, c, http.MethodPost, under(agency, "sources/"+url.PathEscape(id)+"/remove"), struct{}{})
}
