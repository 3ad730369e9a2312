package client

import (
	"context"
	"net/http"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Plugin is an inference plugin as it stands.
type Plugin struct {
	Name    string       `json:"name"`
	Cluster wire.Cluster `json:"cluster"`
	SHA256  string       `json:"sha256"`
	// Version up to Network is what it says of itself; empty until it came up.
	Version  string   `json:"version,omitempty"`
	Contract int      `json:"contract,omitempty"`
	Features []string `json:"features"`
	// Keeps says what it keeps of a person, RetentionSeconds for how long at most.
	Keeps            []string `json:"keeps"`
	RetentionSeconds int64    `json:"retention_seconds"`
	Network          bool     `json:"network"`
	// Shadow says that it is asked and counts in no score.
	Shadow bool `json:"shadow"`

	Up    bool      `json:"up"`
	Since time.Time `json:"since"`
	Why   string    `json:"why,omitempty"` // it is down
	Falls int       `json:"falls"`

	// Enforced and NotEnforced are what its sandbox does and does not.
	Enforced    []string `json:"enforced"`
	NotEnforced []string `json:"not_enforced"`

	// Asked counts questions since the PDP started; half of the answers took at
	// most MedianMicros, 99 in 100 at most P99Micros.
	Asked        uint64 `json:"asked"`
	MedianMicros int64  `json:"median_micros"`
	P99Micros    int64  `json:"p99_micros"`
}

// PluginChange is what a reload did about one plugin.
type PluginChange struct {
	Plugin string `json:"plugin"`
	SHA256 string `json:"sha256"`
	// Problem says why the old program goes on; empty if it was exchanged.
	Problem string `json:"problem,omitempty"`
}

// Plugins lists the inference plugins.
func (c *Client) Plugins(ctx context.Context) ([]Plugin, error) {
	return call[[]Plugin](ctx, c, http.MethodGet, "/v1/plugins", nil)
}

// ReloadPlugins has the PDP read its plugins' registration again.
func (c *Client) ReloadPlugins(ctx context.Context) ([]PluginChange, error) {
	return call[[]PluginChange](ctx, c, http.MethodPost, "/v1/plugins/reload", struct{}{})
}
